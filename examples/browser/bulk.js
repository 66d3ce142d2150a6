// The snapshot from a file: checked, previewed against what the server holds, and only then sent.

import { GateWorker } from "tidegate/worker";
import { byId, count, element, say, showFacts } from "./dom.js";
import { faultsOf, showFaults } from "./faults.js";
import { showProblem } from "./problems.js";

/** What is longer is checked in a worker, in bytes: up to here nobody notices the check. */
const AT_ONCE = 512 * 1024;
/** What is longer is not read into memory, in bytes: it does not fit one bulk, however it is written. */
const MOST_TO_SEND = 16 * 1024 * 1024;
/** How many changes are listed. */
const MOST_CHANGES = 200;
const CHANGED = "The settings have changed: preview again.";

export function createBulk(settings) {
  const [verdict, faults, running, progress, progressText] = [
    ...["bulk-verdict", "bulk-faults", "running", "progress", "progress-text"].map(byId),
  ];
  const [previewButton, sendButton, note, warning, counts, changes, sent] = [
    ...["preview", "send-bulk", "send-note", "warning", "counts", "changes", "bulk-sent"].map(byId),
  ];
  let schema;
  /** Started at the first large file, and again for each schema. */
  let worker;
  /** What is being done, which ends by `abort`. */
  let work = new AbortController();
  /** The file, and its bytes if they may fit one bulk: what is sent is what was checked. */
  let file;
  let bytes;
  let passes = false;
  let fits = false;
  /** What sending would do. It holds for the settings it was made with. */
  let plan;
  /** How often the settings have changed. */
  let changed = 0;

  function use(next) {
    schema = next;
    worker?.then((started) => started.terminate()).catch(() => {});
    worker = undefined;
    check();
  }

  /** Ends what is being done, and begins something else. */
  function begin() {
    work.abort();
    work = new AbortController();
    running.hidden = true;
    return work.signal;
  }

  function take(files) {
    if (files.length === 0) return;
    file = files.length === 1 ? files[0] : undefined;
    if (file) return check();
    begin();
    forget();
    say(verdict, "One file at a time: it stands for everything.", "bad");
  }

  async function check() {
    const signal = begin();
    passes = false;
    forget();
    showFaults(faults, []);
    if (!file) return say(verdict, "No file yet.");
    if (!schema) return say(verdict, "The schema cannot be used, so nothing can be checked.", "bad");
    say(verdict, `Checking ${file.name} …`);
    try {
      const read = file.size > MOST_TO_SEND ? undefined : new Uint8Array(await file.arrayBuffer());
      signal.throwIfAborted();
      bytes = read;
      const result = file.size > AT_ONCE ? await checkLarge(signal) : schema.gate.checkBulk(bytes);
      signal.throwIfAborted();
      fits = bytes !== undefined && (result.fitsOneBulk ?? true);
      showResult(result);
    } catch (error) {
      if (signal.aborted) return;
      say(verdict, `${file.name} could not be checked: ${error.message}`, "bad");
    }
    running.hidden = true;
    showButtons();
  }

  async function checkLarge(signal) {
    showProgress();
    const large = await workerOf(schema);
    signal.throwIfAborted();
    return large.check(bytes ?? file, { signal, onProgress: showProgress });
  }

  function workerOf({ text }) {
    // One that failed is started again with the next file.
    worker ??= GateWorker.start(text).catch((error) => {
      worker = undefined;
      throw error;
    });
    return worker;
  }

  function showProgress({ bytes: done = 0, total = file.size, items = 0, invalidItems = 0 } = {}) {
    running.hidden = false;
    progress.max = total;
    progress.value = done;
    const bad = invalidItems > 0 ? `, ${invalidItems.toLocaleString("en")} do not pass` : "";
    say(progressText, `${Math.floor((100 * done) / total)} %, ${count(items, "resource")}${bad}`);
  }

  function showResult(result) {
    const length = result.itemCount ?? result.items?.length;
    if (result.valid) {
      passes = true;
      const all = length === 0 ? "it holds no resource" : `${count(length, "resource")}, all pass`;
      const tooLong = fits ? "" : " It is too long for one bulk; split it over several group keys.";
      return say(verdict, `${file.name}: ${all}.${tooLong}`, fits ? "good" : "bad");
    }
    const found = faultsOf(result);
    const atLeast = result.truncated ? "at least " : "";
    const where = result.invalidItems ? `, in ${result.invalidItems} of ${count(length, "resource")}` : "";
    say(verdict, `${file.name} does not pass: ${atLeast}${count(found.length, "fault")}${where}.`, "bad");
    showFaults(faults, found, result.truncated);
  }

  function forget(why = "Sending takes a preview first.") {
    plan = undefined;
    say(note, why);
    for (const node of [warning, counts, changes, sent]) node.replaceChildren();
    changes.hidden = true;
    showButtons();
  }

  function showButtons(busy = false) {
    previewButton.disabled = busy || !passes;
    sendButton.disabled = busy || !plan || !fits;
    sendButton.classList.toggle("danger", plan?.removed > 0);
    sendButton.textContent = plan?.removed > 0 ? `Send snapshot and remove ${plan.removed}` : "Send snapshot";
  }

  async function preview() {
    const signal = begin();
    const before = changed;
    forget();
    showButtons(true);
    say(note, "Asking the server what it holds …");
    try {
      const client = settings.client(schema.gate);
      const { table, groupKey } = settings;
      const found =
        file.size > AT_ONCE
          ? await planLarge(await client.manifest(table, { groupKey, signal }), signal)
          : await client.preview(table, bytes, { groupKey, signal });
      signal.throwIfAborted();
      if (changed === before) {
        plan = found;
        showPlan();
      } else forget(CHANGED);
    } catch (error) {
      if (signal.aborted) return;
      forget();
      await showProblem(sent, error, settings);
    }
    running.hidden = true;
    showButtons();
  }

  async function planLarge(manifest, signal) {
    showProgress();
    const large = await workerOf(schema);
    signal.throwIfAborted();
    return large.plan(manifest, bytes ?? file, { signal, onProgress: showProgress });
  }

  function showPlan() {
    const { added, modified, removed, unchanged } = plan;
    const numbers = Object.entries({ added, modified, removed, unchanged });
    showFacts(
      counts,
      numbers.map(([what, number]) => [what, number.toLocaleString("en")]),
    );
    if (removed > 0) {
      const stored = removed + modified + unchanged;
      const some = `${removed.toLocaleString("en")} of ${count(stored, "stored resource")}`;
      const which = removed === stored ? `everything that is stored, ${count(removed, "resource")}` : some;
      const words = `Sending this removes ${which}. What the file lacks is taken for gone.`;
      warning.replaceChildren(element("p", { className: "notice danger" }, words));
    }
    // What is removed comes first: it must not be what the list is cut by.
    const changesOf = (type) => plan.changes.filter((change) => change.type === type);
    const lines = ["removed", "modified", "added"]
      .flatMap(changesOf)
      .slice(0, MOST_CHANGES)
      .map(({ type, id }) => element("li", { className: type }, element("span", {}, type), element("code", {}, id)));
    const more = plan.changes.length - MOST_CHANGES;
    if (more > 0) lines.push(element("li", { className: "more" }, `and ${count(more, "more", "more")}`));
    changes.replaceChildren(...lines);
    changes.hidden = lines.length === 0;
    const scope = `${settings.table}, ${settings.groupKey ? `group key ${settings.groupKey}` : "no group key"}`;
    const most = `In ${scope}, as of now. Sending removes ${removed} at the most.`;
    say(note, fits ? most : "It is too long to be sent as one bulk.");
  }

  async function send() {
    const signal = begin();
    const { name } = file;
    showButtons(true);
    say(sent, `Sending ${name} …`);
    try {
      // Another sender may have been here since: more than was shown is never removed. There is no signal, as
      // what was sent cannot be called back.
      const options = { groupKey: settings.groupKey, maxRemovals: plan.removed };
      const answer = await settings.client(schema.gate).sendBulk(settings.table, bytes, options);
      // Meanwhile there may be another file.
      if (!signal.aborted) forget("Sent. To send again, preview again.");
      const numbers = ["added", "modified", "removed", "unchanged"].map((name) => `${answer[name]} ${name}`);
      const words = `${name}: the server says ${answer.result}. ${numbers.join(", ")} (${answer.table}).`;
      sent.replaceChildren(element("p", { className: "notice good" }, words));
    } catch (error) {
      // The plan was made from what is not so any more.
      if (error.code === "removal-guard" && !signal.aborted) forget();
      await showProblem(sent, error, settings);
    }
    showButtons();
  }

  const drop = byId("drop");
  const input = byId("file");
  // The same file can be chosen again, after it was changed.
  input.addEventListener("click", () => (input.value = ""));
  input.addEventListener("change", () => take(input.files));
  for (const type of ["dragover", "drop"]) {
    // Beside the mark too, or the browser would leave the page for the file.
    addEventListener(type, (event) => event.preventDefault());
  }
  drop.addEventListener("dragover", () => drop.classList.add("over"));
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  byId("cancel").addEventListener("click", () => {
    begin();
    forget();
    if (passes) say(verdict, `${file.name} passes; the preview was cancelled.`, "good");
    else say(verdict, `The check of ${file.name} was cancelled.`);
  });
  previewButton.addEventListener("click", preview);
  sendButton.addEventListener("click", send);
  settings.onChange(() => {
    changed += 1;
    if (plan) forget(CHANGED);
  });
  return { use };
}
