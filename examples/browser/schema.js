// The schema that this page checks against, and what is wrong with it.

import { prepare, SchemaError } from "tidegate";
import { byId, count, say } from "./dom.js";
import { showFaults } from "./faults.js";

/** How long typing has to pause before the schema is prepared, in milliseconds. */
const PAUSE = 250;

/**
 * Prepares the schema of the text area, now and at each change.
 *
 * @param place Where the first one comes from.
 * @param use Takes `{ gate, text }`, or nothing while the schema cannot be used. A gate is good until the next call.
 */
export async function createSchema(place, use) {
  const area = byId("schema");
  const [verdict, problems, notes] = ["schema-verdict", "schema-problems", "schema-notes"].map(byId);
  let gate;

  function take() {
    const text = area.value;
    const before = gate;
    let faults = [];
    try {
      gate = prepare(text);
      say(verdict, `Ready: ${count(gate.columns.length, "field")}, version ${gate.digest.slice(0, 12)}`, "good");
    } catch (error) {
      gate = undefined;
      faults = error instanceof SchemaError ? error.problems : [{ detail: error.message }];
      say(verdict, `This schema cannot be used: ${count(faults.length, "problem")}`, "bad");
    }
    showFaults(problems, faults);
    showFaults(notes, gate ? notesOf(gate) : []);
    area.setAttribute("aria-invalid", String(!gate));
    use(gate && { gate, text });
    before?.free();
  }

  let timer;
  area.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(take, PAUSE);
  });
  area.value = await read(place);
  take();
}

function notesOf({ openObjects, warnings }) {
  return [...warnings, ...openObjects.map((pointer) => ({ pointer, detail: "unknown fields pass here" }))];
}

/** The text of a schema. Without one the page works all the same: one can be pasted. */
async function read(place) {
  const response = await fetch(place);
  return response.ok ? response.text() : "";
}
