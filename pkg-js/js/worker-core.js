/**
 * The near side of a worker with a gate: one for browsers and Node.js, which differ in how a worker is
 * started. `worker.d.ts` says what there is; `worker-thread-core.js` is the far side.
 *
 * What goes there: a job `{ id, … }`, one at a time; `{ id, piece }` for each `{ id, pull: true }` that
 * comes back, with no piece at the end; `{ id, cancel: true }`. What else comes back: `{ id, progress }`,
 * and at last `{ id, result }`, `{ id, error }` or, after a cancellation, `{ id, cancelled: true }`.
 */
import { textOf, viewOf } from "./bytes.js";
import { CrashError, NotInitializedError, SchemaError, TidegateError, UnreadableError } from "./errors.js";

/** The most bytes that are sent at once. */
const PIECE = 1024 * 1024;
/** How long chunks are gathered into a piece, in milliseconds. A slow source is not waited for. */
const GATHER = 50;
/** What an error event without a message means. */
const NOT_LOADED = "if it could not be loaded, start it yourself and give it as `worker`";

/** Makes the class, for workers that `spawn` starts. */
export const gateWorker = (spawn) =>
  class GateWorker {
    #worker;
    /** The first is in the worker, the others wait. */
    #jobs = [];
    #lastId = 0;
    /** Why nothing is taken any more. */
    #ended;

    static async start(schema, { wasm, worker } = {}) {
      const text = postable(schema);
      const started = new this(PRIVATE, worker ?? spawn());
      try {
        await started.#add({ schema: text, wasm: sourceOf(wasm) });
      } catch (error) {
        started.#end(error);
        throw error;
      }
      return started;
    }

    constructor(token, worker) {
      if (token !== PRIVATE) throw new TypeError("a worker is started by `GateWorker.start`");
      this.#worker = worker;
      const received = (message) => this.#received(message);
      const failed = (why, cause) => this.#end(new CrashError(`the worker failed: ${why}`, cause && { cause }));
      if (typeof worker.on === "function") {
        worker.on("message", received);
        worker.on("error", (error) => failed(error?.message ?? error, error));
        worker.on("messageerror", (error) => failed(error.message, error));
        worker.on("exit", () => failed("it has exited"));
      } else {
        worker.addEventListener("message", (event) => received(event.data));
        worker.addEventListener("error", (event) => failed(event.message || NOT_LOADED, event.error ?? event));
        worker.addEventListener("messageerror", () => failed("a message could not be read"));
      }
    }

    async check(source, options) {
      return this.#add({ kind: "check" }, source, options);
    }

    async plan(manifest, source, options) {
      return this.#add({ kind: "plan", manifest: postable(manifest) }, source, options);
    }

    terminate() {
      this.#end(new TidegateError("the worker was terminated"));
    }

    // Not every browser has the symbol yet.
    [Symbol.dispose ?? Symbol()]() {
      this.terminate();
    }

    #add(request, source, { showValues = false, signal, onProgress } = {}) {
      // First, so that no stream is locked for nothing.
      signal?.throwIfAborted();
      if (this.#ended) throw this.#ended;
      const { blob, pieces, total = null } = request.kind ? opened(source) : {};
      return new Promise((resolve, reject) => {
        const id = ++this.#lastId;
        const job = { request: { ...request, id, blob, total, showValues }, pieces, onProgress };
        /** Settles the promise, once. The job keeps its place until the worker is done with it. */
        job.settle = (error, result) => {
          job.settled = true;
          signal?.removeEventListener("abort", job.abort);
          job.pieces?.close(error);
          if (error === undefined) resolve(result);
          else reject(error.reason);
        };
        job.abort = () => this.#abandon(job, signal.reason);
        signal?.addEventListener("abort", job.abort, { once: true });
        this.#jobs.push(job);
        if (this.#jobs.length === 1) this.#begin();
      });
    }

    #begin() {
      const [job] = this.#jobs;
      // Under Node.js a worker that has nothing to do keeps no process alive.
      if (!job) return this.#worker.unref?.();
      this.#worker.ref?.();
      const { request } = job;
      try {
        try {
          this.#worker.postMessage(request);
        } catch (error) {
          if (!request.blob) throw error;
          // Node.js keeps a blob that is a file where it is.
          job.pieces = new Pieces(chunksOf(request.blob.stream().getReader()));
          request.blob = undefined;
          this.#worker.postMessage(request);
        }
      } catch (error) {
        this.#done(job, { reason: error });
      }
    }

    #done(job, error, result) {
      if (!job.settled) job.settle(error, result);
      this.#jobs.shift();
      this.#begin();
    }

    #abandon(job, reason) {
      if (job.settled) return;
      job.settle({ reason });
      if (job === this.#jobs[0]) this.#worker.postMessage({ id: job.request.id, cancel: true });
      else this.#jobs.splice(this.#jobs.indexOf(job), 1);
    }

    #received(message) {
      const [job] = this.#jobs;
      // A worker that was given to us may have other things to say.
      if (job === undefined || message?.id !== job.request.id) return;
      if (message.pull) this.#send(job);
      else if (message.progress) {
        try {
          if (!job.settled) job.onProgress?.(message.progress);
        } catch (error) {
          this.#abandon(job, error);
        }
      } else if (message.error) this.#done(job, { reason: rebuilt(message.error) });
      else this.#done(job, undefined, message.result);
    }

    async #send(job) {
      const { id } = job.request;
      try {
        const piece = await job.pieces.next();
        if (!job.settled) this.#worker.postMessage({ id, piece }, piece ? [piece.buffer] : []);
      } catch (error) {
        this.#abandon(job, error);
      }
    }

    #end(error) {
      if (this.#ended) return;
      this.#ended = error;
      this.#worker.terminate();
      for (const job of this.#jobs.splice(0)) if (!job.settled) job.settle({ reason: error });
    }
  };

const PRIVATE = {};

/** JSON text as what can be posted: a text, or bytes of our own. */
const postable = (value) => viewOf(value)?.slice() ?? textOf(value);

/** Where the module is, in a form that can be posted. Here and in the worker, places are not relative to the same. */
function sourceOf(wasm) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  if (wasm instanceof URL || (base && typeof wasm === "string")) return { url: new URL(wasm, base).href };
  return wasm;
}

/** What is read in the worker, a blob, or else piece by piece here. */
function opened(source) {
  if (source instanceof Blob) return { blob: source, total: source.size };
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : viewOf(source);
  if (bytes) return { pieces: new Pieces([bytes]), total: bytes.length };
  if (typeof source?.getReader === "function") return { pieces: new Pieces(chunksOf(source.getReader())) };
  if (source?.[Symbol.asyncIterator]) return { pieces: new Pieces(source) };
  throw new TypeError("a source is a blob, a stream or async iterable of bytes, a text or its bytes");
}

/** An iterator over a stream's chunks; not every browser's streams are iterable yet. */
function chunksOf(reader) {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => reader.read(),
    // What was waited for ends too.
    return: (reason) => reader.cancel(reason),
  };
}

/** The pieces of a source: bytes of our own, few enough to be copied and sent in one go. */
class Pieces {
  #chunks;
  /** What of a chunk is still to be handed out. */
  #rest = new Uint8Array(0);
  #atEnd = false;

  constructor(chunks) {
    this.#chunks = (chunks[Symbol.asyncIterator] ?? chunks[Symbol.iterator]).call(chunks);
  }

  /** The next piece; none at the end. Small chunks are gathered, as each message has its price. */
  async next() {
    const piece = new Uint8Array(PIECE);
    let size = 0;
    const until = performance.now() + GATHER;
    do {
      if (this.#rest.length === 0) await this.#read();
      // Copied at once: a source may fill the same buffer again for the next chunk.
      const part = this.#rest.subarray(0, PIECE - size);
      piece.set(part, size);
      size += part.length;
      this.#rest = this.#rest.subarray(part.length);
    } while (!this.#atEnd && (size === 0 || (size < PIECE && performance.now() < until)));
    return size === 0 ? undefined : piece.subarray(0, size);
  }

  async #read() {
    if (this.#atEnd) return;
    const { done, value } = await this.#chunks.next();
    if (done) {
      this.#atEnd = true;
      return;
    }
    const bytes = viewOf(value);
    if (!bytes) throw new TypeError(`the chunks of a source are bytes, found ${typeof value}`);
    this.#rest = bytes;
  }

  /** Lets go of the source. That it fails at this interests nobody any more. */
  async close(error) {
    if (this.#atEnd) return;
    this.#atEnd = true;
    try {
      await this.#chunks.return?.(error?.reason);
    } catch {}
  }
}

/** An error of the worker, as the same class here. */
function rebuilt({ name, message, cause, stack, ...rest }) {
  const options = cause && { cause: rebuilt(cause) };
  switch (name) {
    case "SchemaError":
      return new SchemaError(rest.problems);
    case "UnreadableError":
      return new UnreadableError(message, rest);
    case "CrashError":
      return new CrashError(message, options);
    case "NotInitializedError":
      return new NotInitializedError(message, options);
    case "TypeError":
      return new TypeError(message, options);
  }
  // Where it came from is all that there is to be known of it.
  const error = new Error(message, options);
  return Object.defineProperties(error, {
    name: { value: name, configurable: true, writable: true },
    stack: { value: stack, configurable: true, writable: true },
  });
}
