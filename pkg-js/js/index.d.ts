/**
 * The gate of Tidegate: checks payloads against a JSON Schema as the server does, before anything is
 * sent. The same core, compiled to WebAssembly, so that the same bytes get the same verdict.
 *
 * @packageDocumentation
 */

/** A value that `JSON.stringify` writes as JSON. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined };

/** JSON text: a string, or its UTF-8 bytes. Bytes are the fastest. */
export type JsonText = string | Uint8Array | ArrayBuffer;

/**
 * One resource: its JSON text, or a value.
 *
 * A string is always JSON text, never a value. An object is written out by `JSON.stringify` first, so
 * it is checked as `fetch` would send it: `undefined` members are left out, `NaN` becomes `null`, and
 * integers beyond 2^53 have lost digits before the gate sees them. Give the text where that matters.
 */
export type Payload = JsonText | object;

/**
 * Several resources: the JSON text of an array, NDJSON (one resource a line), or an array of values.
 * Text whose first character is `[` is an array, any other is NDJSON.
 */
export type Items = JsonText | readonly object[];

/** The ids and digests of what a scope holds, as the server's route `manifest` answers it. */
export interface Manifest {
  /** Each id with its digest: 64 hexadecimal digits. */
  readonly items: Readonly<Record<string, string>>;
}

declare global {
  // Not every project's types have these. Where they are, they are the same.
  namespace WebAssembly {
    interface Module {}
  }
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

/** What the module is made from. */
export type WasmSource =
  | string
  | URL
  | Request
  | Response
  | ArrayBuffer
  | ArrayBufferView
  | (WebAssembly.Module & object);

/**
 * Loads the module; once, before the first {@link prepare}. Further calls wait for the first, and one
 * that failed can be made again. Under Node.js it may be left out.
 *
 * @param source Where the module is. By default it is fetched from beside this file, where bundlers
 * and browsers find it; the entry `tidegate/inline` has it in its code.
 * @throws If it cannot be fetched or compiled.
 */
export function init(source?: WasmSource | PromiseLike<WasmSource>): Promise<void>;

/**
 * Prepares a schema. This is the expensive step: keep the gate, and use it for many payloads.
 *
 * @param schema A JSON Schema 2020-12 with the root keyword `resmo`: its JSON text, or a value.
 * @throws {@link SchemaError} with every problem of the schema.
 * @throws {@link NotInitializedError} before {@link init}.
 */
export function prepare(schema: Payload): Gate;

/**
 * The digest of a JSON text or value: equal for equal JSON values, and only for them. 64 hexadecimal
 * digits, the same as the server's.
 *
 * @throws {@link UnreadableError} if it is no JSON text, or an ambiguous one.
 */
export function digest(payload: Payload): string;

/**
 * The leaf paths in which two versions of a resource differ, dotted and sorted: `employee.name`,
 * `tags[2]`, `['odd name'].x`.
 *
 * @throws {@link UnreadableError} if one is no JSON text, or an ambiguous one.
 */
export function diff(before: Payload, after: Payload): string[];

/** How a check reports. */
export interface CheckOptions {
  /** Puts the value that was found into a violation's `detail`, cut. Off unless asked for. */
  readonly showValues?: boolean;
}

/** A schema that is ready to check payloads. */
export class Gate {
  private constructor();
  /** The schema that payloads are checked against: the author's, with the root closed. */
  readonly effectiveSchema: { [keyword: string]: JsonValue };
  /** The version digest: BLAKE3 of the effective schema's text. */
  readonly digest: string;
  /** The declared leaf fields, as dotted paths in the schema's own order. */
  readonly columns: readonly string[];
  /** The nested objects in which unknown fields pass, as pointers into the schema. */
  readonly openObjects: readonly string[];
  /** What the schema's author should know. */
  readonly warnings: readonly Problem[];

  /** Checks one resource, and says every violation. */
  check(payload: Payload, options?: CheckOptions): CheckResult;

  /** Whether one resource passes, and nothing else: faster than {@link check}. */
  isValid(payload: Payload): boolean;

  /** Checks a bulk: every fault of every item; no two items may have the same id. */
  checkBulk(items: Items, options?: CheckOptions): BulkResult;

  /**
   * What sending a bulk would do where that manifest is stored.
   *
   * @param manifest As the server answers it, or its JSON text.
   * @throws {TypeError} if it is no manifest.
   */
  plan(manifest: Manifest | JsonText, items: Items, options?: CheckOptions): PlanResult;

  /**
   * What sending the bulk `after` would do where the bulk `before` is stored, with the fields that
   * differ.
   */
  compare(before: Items, after: Items, options?: CheckOptions): CompareResult;

  /**
   * The body of a bulk request: NDJSON becomes an array, values become text. It is not checked.
   *
   * @throws {@link UnreadableError} if a line of NDJSON is no JSON text.
   */
  bulkBody(items: Items): Uint8Array;

  /** Gives back the memory. A gate that was given back cannot be used. */
  free(): void;
  [Symbol.dispose](): void;
}

/** What checking one resource found. */
export type CheckResult = Accepted | (Rejected & NotThere);

/** A resource that passes. */
export interface Accepted {
  readonly valid: true;
  readonly violations: readonly [];
  /** What the id's path leads to. */
  readonly id: string;
  /** What the name's path leads to, if that is a string. */
  readonly name: string | null;
  /** The values of the important fields, in the declared order, as `JSON.parse` reads them. */
  readonly importantFields: readonly JsonValue[];
  /** Equal for equal resources, and only for them. */
  readonly digest: string;
}

/** What a resource that does not pass has none of. */
export interface NotThere {
  readonly id: null;
  readonly name: null;
  readonly importantFields: readonly [];
  readonly digest: null;
}

/** Why a payload does not pass. */
export interface Rejected {
  readonly valid: false;
  /** The code of the problem with which the server would answer. */
  readonly code: RejectionCode;
  /** A sentence that says why. */
  readonly detail: string;
  /** Every violation, up to 100 of a resource and 1,000 of a bulk; none if it is no JSON text. */
  readonly violations: readonly Violation[];
  /** There are more violations than are listed. */
  readonly truncated?: true;
  /** Where the text cannot be read: the line, from 1. */
  readonly line?: number;
  /** Likewise the column, from 1, in Unicode characters. */
  readonly column?: number;
  /** Likewise the offset, from 0, in bytes. */
  readonly offset?: number;
  /** A JSON Pointer to where the text cannot be read, as a URI fragment. */
  readonly pointer?: string;
  /** The limit that was exceeded. */
  readonly limit?: number;
  /** The item of a bulk that is over the limit. */
  readonly item?: number;
}

/** Why a payload is rejected. */
export type RejectionCode =
  | "malformed-json"
  | "duplicate-member"
  | "too-large"
  | "payload-invalid"
  | "missing-id"
  | "duplicate-id";

/** One fault of a payload. */
export interface Violation {
  /** The index of the resource in a bulk, from 0. `pointer` points into that resource. */
  readonly item?: number;
  /** A JSON Pointer into the resource, as a URI fragment: `#/employee/email`. */
  readonly pointer: string;
  /** A JSON Pointer into the effective schema, as a URI fragment. */
  readonly schemaPointer: string;
  /** The JSON Schema keyword that does not hold, or `resmo`. */
  readonly keyword: string;
  /** What kind of fault it is. */
  readonly code: ViolationCode;
  /** What was expected; the payload's values only with `showValues`. */
  readonly detail: string;
}

/** The kinds of faults a payload can have. */
export type ViolationCode =
  | "wrong-type"
  | "missing-field"
  | "unknown-field"
  | "reserved-field"
  | "unknown-item"
  | "not-allowed"
  | "wrong-format"
  | "pattern-mismatch"
  | "wrong-name"
  | "too-small"
  | "too-large"
  | "not-a-multiple"
  | "too-short"
  | "too-long"
  | "not-unique"
  | "contains"
  | "no-alternative"
  | "several-alternatives"
  | "forbidden"
  | "wrong-content"
  | "invalid"
  | "missing-id"
  | "duplicate-id"
  | "too-complex";

/** What checking a bulk found. */
export type BulkResult = { readonly valid: true; readonly items: readonly BulkItem[] } | Rejected;

/** One resource of a bulk. */
export interface BulkItem {
  readonly id: string;
  readonly name: string | null;
  readonly digest: string;
}

/** What a bulk would do. */
export type PlanResult = Plan | Rejected;

/** What a bulk would do to a scope. */
export interface Plan {
  readonly valid: true;
  readonly added: number;
  readonly modified: number;
  readonly removed: number;
  readonly unchanged: number;
  /** First what is new or different, in the bulk's order, then what the bulk lacks, by id. */
  readonly changes: readonly Change[];
}

/** What happens to one resource. */
export interface Change {
  readonly type: "added" | "modified" | "removed";
  readonly id: string;
}

/** What a bulk would do to another one. */
export type CompareResult =
  | (Omit<Plan, "changes"> & { readonly changes: readonly (Change & { readonly fields: readonly string[] })[] })
  | (Rejected & { /** Which of the two does not pass. */ readonly side: "before" | "after" });

/** One thing that is wrong with a schema, or that its author should know. */
export interface Problem {
  /** A JSON Pointer into the schema, as a URI fragment. */
  readonly pointer: string;
  readonly code: ProblemCode;
  readonly detail: string;
}

/** The kinds of problems a schema can have. The last two are warnings. */
export type ProblemCode =
  | "malformed-json"
  | "duplicate-member"
  | "too-large"
  | "too-deep"
  | "not-a-schema"
  | "root-type"
  | "unsupported-dialect"
  | "meta-schema"
  | "external-reference"
  | "unresolvable-reference"
  | "endless-reference"
  | "duplicate-identifier"
  | "resource-keyword"
  | "path-syntax"
  | "path-not-singular"
  | "path-impossible"
  | "reserved-member"
  | "pattern-unsupported"
  | "too-complex"
  | "unevaluated-properties-replaced"
  | "open-root";

/** What every error of this package is. */
export class TidegateError extends Error {}

/** A schema that cannot be used. */
export class SchemaError extends TidegateError {
  constructor(problems: readonly Problem[]);
  /** Everything that is wrong with it. */
  readonly problems: readonly Problem[];
}

/** A text that is no JSON, or one that two parsers could read differently. */
export class UnreadableError extends TidegateError {
  constructor(message: string, place: Pick<UnreadableError, "code" | "line" | "column" | "offset" | "pointer">);
  readonly code: "malformed-json" | "duplicate-member" | "too-large";
  readonly line?: number;
  readonly column?: number;
  readonly offset?: number;
  readonly pointer?: string;
}

/** The module is not loaded yet. */
export class NotInitializedError extends TidegateError {}

/**
 * The module failed: its stack or its memory did not suffice, or it has a fault. It was started anew,
 * and every gate can still be used. What failed is in `cause`.
 */
export class CrashError extends TidegateError {}
