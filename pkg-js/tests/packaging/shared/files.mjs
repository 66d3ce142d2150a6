// What every project does with the worker that checks files, and tells.

import { ada, bad, badSchema, failure, lines, schema } from "./data.mjs";

/**
 * @param entry What `tidegate/worker` exports.
 * @param classes What `tidegate` exports: the errors of both are the same.
 * @param options Makes what `GateWorker.start` takes, for each worker anew.
 */
export async function files({ GateWorker }, classes, options = () => ({})) {
  const told = {};
  told.refused = await failure(classes, () => GateWorker.start(badSchema, options()));

  const worker = await GateWorker.start(JSON.stringify(schema), options());
  const part = lines(40_000);
  const blob = new Blob([part]);
  const reports = [];
  told.passed = await worker.check(blob, { onProgress: (report) => reports.push(report) });
  told.bytes = blob.size;
  told.progress = {
    isInOrder: reports.every(({ bytes }, index) => index === 0 || bytes >= reports[index - 1].bytes),
    last: reports.at(-1),
  };
  const { violations, ...faulty } = await worker.check(new Blob([part, JSON.stringify(bad)]).stream());
  told.faulty = { ...faulty, violations: violations.map(({ item, code }) => [item, code]) };
  told.planned = await worker.plan({ items: { 7: "0".repeat(64) } }, JSON.stringify([ada]));

  // Longer than what is checked before the first report.
  const long = new Blob(Array(40).fill(part));
  told.aborted = await failure(classes, () => abortedAtFirstReport((how) => worker.check(long, how)));
  let isClosed = false;
  async function* endless() {
    try {
      for (;;) yield part;
    } finally {
      isClosed = true;
    }
  }
  told.abortedEndless = await failure(classes, () => abortedAtFirstReport((how) => worker.check(endless(), how)));
  told.again = (await worker.check("[]")).valid;
  told.isClosed = isClosed;

  const pending = failure(classes, () => worker.check(endless()));
  worker.terminate();
  told.terminated = await pending;
  return told;
}

function abortedAtFirstReport(check) {
  const controller = new AbortController();
  return check({ signal: controller.signal, onProgress: () => controller.abort() });
}
