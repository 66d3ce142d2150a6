/**
 * Sends resources to a Tidegate, with the check first.
 *
 * @packageDocumentation
 */
import type { Change, Gate, Items, Manifest, Payload, Plan, Problem, Violation } from "./index.js";
import { TidegateError } from "./index.js";

/** Where to send, and how. */
export interface ClientOptions {
  /** Where the Tidegate is: `https://tidegate.example`. */
  readonly url: string | URL;
  /** The ingest key of an integration. */
  readonly key: string;
  /**
   * A gate for each table, by the name with which the calls name it. What is sent to such a table is
   * checked first, and what does not pass is not sent. To the other tables everything is sent.
   */
  readonly gates?: Readonly<Record<string, Gate>>;
  /**
   * How often a request is made again when the server is not available (503, 429, and a proxy's 502 and
   * 504) or does not answer. 3 unless said otherwise. Sending the same thing again changes nothing, so
   * the result may be `unchanged` where the answer to the first try was lost.
   */
  readonly retries?: number;
  /**
   * The longest wait for a next try, in milliseconds; 30,000 unless said otherwise. A server that asks for
   * a longer one is not tried again.
   */
  readonly maxRetryDelay?: number;
  /** Instead of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** What every call takes. */
export interface RequestOptions {
  /** The scope within integration and table; none is `""`. */
  readonly groupKey?: string;
  /** Ends the request, and the wait for a next try. */
  readonly signal?: AbortSignal;
}

/** What every call that changes something takes. */
export interface ChangeOptions extends RequestOptions {
  /** What happened, in a word. */
  readonly event?: string;
  /** Who did it: any JSON value. */
  readonly actor?: unknown;
}

/** What a bulk takes. */
export interface BulkOptions extends ChangeOptions {
  /** The most that may be removed: a count, or a share of what is stored (`"20%"`). */
  readonly maxRemovals?: number | string;
}

/** What became of one resource. */
export interface EventResult {
  readonly result: "added" | "modified" | "unchanged" | "planned";
  readonly dryRun?: true;
  readonly id: string;
  /** The table's full resource name. */
  readonly table: string;
  readonly groupKey: string;
  readonly digest: string;
  readonly changeId: string | null;
  readonly fields: readonly string[];
}

/** What became of a bulk. */
export interface BulkAnswer {
  readonly result: "applied" | "planned";
  readonly dryRun?: true;
  readonly table: string;
  readonly groupKey: string;
  readonly added: number;
  readonly modified: number;
  readonly removed: number;
  readonly unchanged: number;
  /** With `details`, and of a dry run. */
  readonly changes?: readonly (Change & { readonly fields: readonly string[] })[];
}

/** What became of a removal. */
export interface RemovalAnswer {
  readonly result: "applied" | "planned";
  readonly dryRun?: true;
  readonly table: string;
  readonly groupKey: string;
  readonly removed: number;
  readonly ignored: number;
}

/**
 * Sends the resources of one integration. A redirect is not followed, as the key is not meant for anybody
 * else.
 */
export class Client {
  /** @throws {TypeError} if the address or the key cannot be one. */
  constructor(options: ClientOptions);

  /**
   * Sends one resource.
   *
   * @param table The table's name, or its full resource name.
   * @throws {@link ProblemError} if it does not pass, here or there.
   * @throws {@link ConnectionError} if the server does not answer.
   */
  send(table: string, payload: Payload, options?: ChangeOptions & { readonly dryRun?: boolean }): Promise<EventResult>;

  /**
   * Sends the full snapshot of a scope. What it lacks is removed.
   *
   * @throws {TypeError} if it is NDJSON and there is no gate for the table, which would make it an array;
   * and if it is an empty text: what removes everything is an empty array.
   */
  sendBulk(
    table: string,
    items: Items,
    options?: BulkOptions & { readonly dryRun?: boolean; readonly details?: boolean },
  ): Promise<BulkAnswer>;

  /**
   * Removes resources by their ids; those that are not there are ignored. The ids are part of the address,
   * which servers and proxies take up to some length only: some hundreds at a time.
   */
  remove(
    table: string,
    ids: readonly string[],
    options?: ChangeOptions & { readonly dryRun?: boolean },
  ): Promise<RemovalAnswer>;

  /** The ids and digests of what a scope holds. */
  manifest(table: string, options?: RequestOptions): Promise<Manifest>;

  /**
   * What sending a bulk would do, from the scope's manifest: no payload leaves this place.
   *
   * @throws {TypeError} if there is no gate for the table.
   * @throws {@link ProblemError} if the bulk does not pass.
   */
  preview(table: string, items: Items, options?: RequestOptions): Promise<Plan>;
}

/** The stable codes of problems. A newer server may have more. */
export type Code =
  | "malformed-json"
  | "duplicate-member"
  | "bad-parameter"
  | "unauthorized"
  | "integration-disabled"
  | "unknown-table"
  | "not-found"
  | "table-retired"
  | "method-not-allowed"
  | "request-timeout"
  | "name-taken"
  | "name-retired"
  | "in-use"
  | "group-without-schemas"
  | "removal-guard"
  | "conflict"
  | "too-large"
  | "unsupported-media-type"
  | "payload-invalid"
  | "missing-id"
  | "duplicate-id"
  | "schema-invalid"
  | "test-data-invalid"
  | "internal"
  | "storage-unavailable"
  | (string & {});

/** A refusal: the server's, or the gate's before anything was sent. */
export class ProblemError extends TidegateError {
  constructor(
    problem: Readonly<Record<string, unknown>> & { readonly code: Code; readonly detail: string },
    origin?: "gate" | "server",
    requestId?: string | null,
  );
  /** Who refused it. */
  readonly origin: "gate" | "server";
  readonly code: Code;
  /** The HTTP status; of the gate, the one with which the server would have answered. */
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Each fault, where there are some. */
  readonly errors: readonly (Violation | Problem)[];
  /** The whole problem document (RFC 9457). */
  readonly problem: Readonly<Record<string, unknown>>;
  /** The server's `X-Request-Id`, which its log has too; none of a gate's refusal. */
  readonly requestId: string | null;
}

/** The server did not answer, or with something that is no answer of a Tidegate. */
export class ConnectionError extends TidegateError {
  constructor(message: string, options?: { readonly status?: number | null; readonly cause?: unknown });
  /** The HTTP status, if there was one. */
  readonly status: number | null;
}
