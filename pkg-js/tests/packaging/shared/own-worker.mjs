// A worker that a project has of its own: what it tells comes in a message.

/** In the worker. */
export function answer(work) {
  work().then(
    (told) => postMessage({ told }),
    (error) => postMessage({ error: String(error?.stack ?? error) }),
  );
}

/** In the page. */
export function inWorker(worker) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.told));
    worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
  }).finally(() => worker.terminate());
}
