// What every project does with the gate, and tells.

import { ada, bad, badSchema, failure, grace, schema } from "./data.mjs";

/** Uses everything of the entry once; first `start`, where the module has to be loaded. */
export async function exercise(tidegate, start) {
  const { prepare, digest, diff } = tidegate;
  const told = {};
  if (start) {
    told.early = await failure(tidegate, () => prepare(schema));
    // Twice at once, and once again: it is loaded once.
    await Promise.all([start(), start()]);
    await start();
  }
  told.refused = await failure(tidegate, () => prepare(badSchema));
  told.unreadableSchema = await failure(tidegate, () => prepare("{"));

  const gate = prepare(schema);
  told.gate = [gate.digest, gate.columns.length, gate.openObjects, gate.warnings.length];
  const text = JSON.stringify(ada);
  const bytes = new TextEncoder().encode(text);
  // A view into a larger buffer, as a reader of sockets has it.
  const within = new Uint8Array([1, ...bytes, 2]).subarray(1, -1);
  told.checked = [ada, text, bytes, bytes.buffer, within].map((payload) => gate.check(payload));
  told.bad = gate.check(bad);
  told.shown = gate.check(bad, { showValues: true }).violations.map(({ detail }) => detail);
  told.malformed = gate.check('{"employeeId":"1",}');
  told.isValid = [ada, text, bytes, bad, "{"].map((payload) => gate.isValid(payload));

  told.digest = [digest(text), digest({ active: true, ...ada })];
  // Neither has a limit but the core's own for texts.
  const long = ["x".repeat(5 * 1024 * 1024)];
  told.long = [digest(JSON.stringify(long)) === digest(long), diff(long, JSON.stringify(long)).length];
  told.undigested = await failure(tidegate, () => digest('{"a":1,"a":2}'));
  told.diff = diff(ada, { ...ada, salary: 1600, employee: { ...ada.employee, name: "Ada" } });

  const before = [ada, grace];
  const after = `${JSON.stringify({ ...ada, salary: 1600 })}\n${text.replace('"1"', '"4"')}\n`;
  told.bulk = [gate.checkBulk(before), gate.checkBulk([ada, bad, ada])].map(({ items, violations }) =>
    (items ?? violations).map(({ id, item, code }) => id ?? [item, code]),
  );
  const manifest = { items: Object.fromEntries(gate.checkBulk(before).items.map(({ id, digest }) => [id, digest])) };
  told.plan = gate.plan(manifest, after);
  told.noManifest = await failure(tidegate, () => gate.plan({}, after));
  told.compare = gate.compare(before, after);
  told.body = [after, before, '[{"a":1}]'].map((items) => JSON.parse(new TextDecoder().decode(gate.bulkBody(items))).length);

  gate.free();
  told.freed = await failure(tidegate, () => gate.check(ada));
  return told;
}
