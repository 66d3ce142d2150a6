/**
 * The far side of a worker with a gate; `worker-core.js` is the near one, and says what goes to and fro.
 */

/** How much of a blob is read at once, in bytes. */
const SLICE = 2 * 1024 * 1024;
/** The least time between two reports, in milliseconds. */
const REPORT = 100;

/**
 * Answers what comes in by what it posts.
 *
 * @param post Sends a message to the near side.
 * @param turn Lets messages in: a promise that is kept after those that have come.
 * @param module What does the work: `init`, `prepare` and `FileCheck`.
 * @returns What takes the messages from there.
 */
export function serve(post, turn, { init, prepare, FileCheck }) {
  let gate;
  /** The job that is being done. */
  let current;

  async function start({ schema, wasm }) {
    await init(wasm?.url ? new URL(wasm.url) : wasm);
    gate = prepare(schema);
  }

  async function check(job) {
    const { id, blob, manifest, showValues, total } = job.request;
    const text = manifest instanceof Uint8Array ? new TextDecoder("utf-8", { fatal: true }).decode(manifest) : manifest;
    // Whoever gives something else than a manifest learns it now, and not at the end of a long file.
    if (text !== undefined) gate.plan(text, "[]");
    const file = new FileCheck(gate, { showValues });
    try {
      let bytes = 0;
      let reported = performance.now();
      const report = ({ itemCount, invalidItems }) => {
        post({ id, progress: { bytes, total, items: itemCount, invalidItems } });
        reported = performance.now();
      };
      for await (const piece of blob ? slices(blob) : pulled(job)) {
        if (job.cancelled) return;
        file.push(piece);
        bytes += piece.length;
        if (file.isOver) break;
        if (performance.now() - reported >= REPORT) report(file);
        await turn();
      }
      if (job.cancelled) return;
      const result = file.finish(text);
      report(result);
      return result;
    } finally {
      try {
        file.free();
      } catch {
        // After a crash there is nothing left to be freed, and the crash is what is to be told.
      }
    }
  }

  /** The pieces that the near side reads: the next one while this one is checked, and no more. */
  async function* pulled(job) {
    const pull = () => {
      job.arrived = new Promise((resolve) => (job.arrive = resolve));
      post({ id: job.request.id, pull: true });
    };
    pull();
    for (;;) {
      const piece = await job.arrived;
      if (!piece) return;
      pull();
      yield piece;
    }
  }

  async function work(request) {
    const job = { request };
    const { id } = request;
    current = job;
    let answer;
    try {
      const result = request.kind ? await check(job) : await start(request);
      answer = job.cancelled ? { id, cancelled: true } : { id, result };
    } catch (error) {
      answer = { id, error: described(error) };
    }
    current = undefined;
    post(answer);
  }

  return (message) => {
    if (!current) {
      // Anything else is the rest of a job that is over already, or none of ours.
      if (message?.kind || message?.schema !== undefined) work(message);
    } else if (message?.id === current.request.id) {
      current.cancelled ||= message.cancel;
      current.arrive?.(message.piece);
    }
  };
}

/** The slices of a blob: the next one is read while this one is checked. */
async function* slices(blob) {
  const read = (at) => {
    const slice = at < blob.size ? blob.slice(at, at + SLICE).arrayBuffer() : undefined;
    // It fails where it is waited for, if it still is by then.
    slice?.catch(() => {});
    return slice;
  };
  let next = read(0);
  for (let at = 0; at < blob.size; at += SLICE) {
    const slice = await next;
    next = read(at + SLICE);
    yield new Uint8Array(slice);
  }
}

/** An error in a form that can be posted. */
function described(error) {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack, cause, problems, code, line, column, offset, pointer } = error;
  return {
    ...{ name, message, stack, problems, code, line, column, offset, pointer },
    cause: cause === undefined ? undefined : described(cause),
  };
}
