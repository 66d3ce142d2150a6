/**
 * Checks files of any length off the main thread.
 *
 * @packageDocumentation
 */
import type { CheckOptions, Manifest, JsonText, Payload, Plan, Rejected, WasmSource } from "./index.js";

/** How a worker is started. */
export interface WorkerOptions {
  /** Where the module is, as for `init`: a place, its bytes or the compiled module. */
  readonly wasm?: string | URL | ArrayBuffer | (WebAssembly.Module & object);
  /**
   * A worker that runs `tidegate/worker-thread`, where a bundler cannot find that by itself: an entry point to
   * be bundled, not a module to be imported. It is ended with the gate.
   */
  readonly worker?: WorkerLike;
}

/** A `Worker` of browsers or of `node:worker_threads`. */
export interface WorkerLike {
  postMessage(message: any, transfer: any[]): void;
  terminate(): unknown;
}

/** How a file is checked. */
export interface FileOptions extends CheckOptions {
  /** Ends the check; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called about ten times a second, and at the end. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How far a check is. */
export interface Progress {
  /** The bytes that are checked. */
  readonly bytes: number;
  /** All bytes, if that is known. */
  readonly total: number | null;
  /** The resources that are checked. */
  readonly items: number;
  /** Those that do not pass. */
  readonly invalidItems: number;
}

/** Resources: an array or NDJSON. It must not be changed while it is checked. */
export type Source = Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | JsonText;

/** What checking a file found. */
export type FileResult = FilePassed | (Rejected & FileRead);

/** How much was read. */
export interface FileRead {
  /** The bytes that were read. */
  readonly bytes: number;
  /** The resources that were read. */
  readonly itemCount: number;
  /** Those that do not pass. */
  readonly invalidItems: number;
  /** Whether a server takes it as one bulk, by its length. */
  readonly fitsOneBulk: boolean;
}

/** A file that passes. */
export interface FilePassed extends FileRead {
  readonly valid: true;
}

/** A worker with a gate. */
export class GateWorker {
  private constructor();

  /**
   * Starts a worker and prepares a schema in it.
   *
   * @throws {@link SchemaError} with every problem of the schema.
   * @throws {@link CrashError} if the worker fails, or cannot be loaded.
   */
  static start(schema: Payload, options?: WorkerOptions): Promise<GateWorker>;

  /**
   * Checks every resource of a file, one file after the other. Its length has no limit; each resource
   * has its own.
   */
  check(source: Source, options?: FileOptions): Promise<FileResult>;

  /**
   * What sending a file as a bulk would do where that manifest is stored.
   *
   * @throws {TypeError} if it is no manifest.
   */
  plan(
    manifest: Manifest | JsonText,
    source: Source,
    options?: FileOptions,
  ): Promise<(Plan & FileRead) | (Rejected & FileRead)>;

  /** Ends the worker. What it is doing is rejected. Under Node.js an idle one keeps no process alive. */
  terminate(): void;
  [Symbol.dispose](): void;
}
