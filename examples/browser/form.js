// The form of one resource: built from the schema, checked at each key, sent as one event.

import { byId, count, element, say, showFacts } from "./dom.js";
import { faultsOf, showFaults } from "./faults.js";
import { fieldsOf, keyOf, pathOf, written } from "./fields.js";
import { showProblem } from "./problems.js";

export function createForm(settings) {
  const [form, title, box, verdict, others, json, accepted, sent] = [
    ...["form", "form-title", "fields", "verdict", "others", "json", "accepted", "sent"].map(byId),
  ];
  let schema;
  let fields = [];
  /** Kept by path, so that a schema that is edited does not empty the form. */
  const contents = new Map();
  let inputs = new Map();
  /** What was checked last: `{ text, checked, faults }`. */
  let last;

  function use(next) {
    schema = next;
    if (schema) {
      const { effectiveSchema } = schema.gate;
      say(title, typeof effectiveSchema.title === "string" ? `One resource: ${effectiveSchema.title}` : "One resource");
      fields = fieldsOf(effectiveSchema);
      inputs = new Map(fields.map((field, index) => [keyOf(field.path), inputOf(field, index)]));
      box.replaceChildren(...[...inputs.values()].map(({ row }) => row));
    }
    for (const { control } of inputs.values()) control.disabled = !schema;
    byId("send").disabled = !schema;
    check();
  }

  function inputOf(field, index) {
    const id = `field-${index}`;
    const control = controlOf(field);
    control.id = id;
    control.setAttribute("aria-describedby", `${id}-fault`);
    if (field.required) control.setAttribute("aria-required", "true");
    control.value = contents.get(keyOf(field.path)) ?? "";
    control.addEventListener("input", () => {
      contents.set(keyOf(field.path), control.value);
      sent.replaceChildren();
      check();
    });
    const fault = element("p", { id: `${id}-fault`, className: "fault" });
    const about = `${field.kind}${field.required ? ", required" : ""}`;
    const label = element("label", { htmlFor: id }, field.label, " ", element("span", { className: "kind" }, about));
    return { control, fault, row: element("div", { className: "field" }, label, control, fault) };
  }

  function check() {
    if (!schema) {
      last = undefined;
      return show("The schema cannot be used, so nothing can be checked.", "bad");
    }
    const { text, faults: unwritten } = written(fields, contents);
    // A browser tells nothing of what is typed into a date until it is one.
    for (const [key, { control }] of inputs) {
      if (control.validity.badInput) unwritten.push({ path: JSON.parse(key), detail: "this is not complete" });
    }
    let checked;
    let faults = unwritten;
    if (faults.length === 0) {
      try {
        checked = schema.gate.check(text);
        faults = checked.valid ? [] : faultsOf(checked);
      } catch (error) {
        faults = [{ detail: error.message }];
      }
    }
    last = { text, checked, faults };
    const empty = text === "{}" && unwritten.length === 0;
    if (checked?.valid) show("It passes.", "good");
    else if (empty) show("Nothing is filled in yet.");
    else show(`It does not pass: ${count(faults.length, "fault")}${checked?.truncated ? " or more" : ""}`, "bad");
    if (!empty) showPlaces();
  }

  function show(text, kind) {
    say(verdict, text, kind);
    say(json, last?.text ?? "");
    const { id, name, digest } = last?.checked?.valid ? last.checked : {};
    showFacts(accepted, [
      ["id", id ?? "–"],
      ["name", name ?? "–"],
      ["digest", digest ?? "–"],
    ]);
    showFaults(others, []);
    for (const { control, fault } of inputs.values()) {
      say(fault, "");
      control.removeAttribute("aria-invalid");
    }
  }

  /** Puts each fault beside its field, and those that have none at the top. */
  function showPlaces(faults = last?.faults ?? []) {
    const beside = new Map();
    const rest = [];
    for (const fault of faults) {
      const input = inputs.get(placeOf(fault));
      if (input) beside.set(input, [...(beside.get(input) ?? []), fault.detail]);
      else rest.push(fault);
    }
    for (const [{ control, fault }, details] of beside) {
      say(fault, details.join("; "));
      control.setAttribute("aria-invalid", "true");
    }
    showFaults(others, rest);
  }

  /** The key of the field that a fault belongs to. */
  function placeOf({ path, pointer, code, detail }) {
    path ??= pointer === undefined ? [] : pathOf(pointer);
    if (code === "missing-field") {
      // It points to the object that lacks the field, and names the field in the text only.
      const object = keyOf(path);
      const lacking = fields.find(({ path: field }) => {
        return keyOf(field.slice(0, -1)) === object && detail === `missing field \`${field.at(-1)}\``;
      });
      if (lacking) return keyOf(lacking.path);
    }
    // A field of JSON has all the faults inside it.
    const leadsTo = (field) => field.kind === "json" || field.path.length === path.length;
    const field = fields.find((field) => leadsTo(field) && field.path.every((name, at) => name === path[at]));
    return field && keyOf(field.path);
  }

  async function send() {
    if (!last?.checked?.valid) {
      showPlaces();
      [...inputs.values()].find(({ control }) => control.hasAttribute("aria-invalid"))?.control.focus();
      return;
    }
    const button = byId("send");
    button.disabled = true;
    say(sent, "Sending …");
    try {
      const options = {
        groupKey: settings.groupKey,
        event: byId("event").value || undefined,
        dryRun: byId("dry-run").checked,
      };
      const answer = await settings.client(schema.gate).send(settings.table, last.text, options);
      say(sent, "");
      sent.append(element("p", { className: "notice good" }, sentence(answer)));
    } catch (error) {
      await showProblem(sent, error, settings);
      // A server whose schema is another one has faults of its own.
      if (error.origin === "server" && error.errors.length > 0) showPlaces(error.errors);
    } finally {
      button.disabled = !schema;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("reset", () => {
    contents.clear();
    sent.replaceChildren();
    // The inputs are emptied after the event.
    setTimeout(check);
  });
  return { use };
}

function controlOf({ kind, choices }) {
  switch (kind) {
    case "boolean":
    case "choice": {
      const values = kind === "boolean" ? [true, false] : choices;
      const optionOf = (value) => {
        const json = JSON.stringify(value);
        return element("option", { value: json }, typeof value === "string" ? value : json);
      };
      return element("select", {}, element("option", { value: "" }, "not given"), ...values.map(optionOf));
    }
    case "json":
      return element("textarea", { rows: 2, spellcheck: false, placeholder: "JSON" });
    case "number":
    case "integer":
      // Not of the type `number`, which keeps to itself what is none.
      return element("input", { inputMode: "decimal", autocomplete: "off" });
    case "email":
    case "date":
      return element("input", { type: kind, autocomplete: "off" });
    default:
      return element("input", { autocomplete: "off" });
  }
}

function sentence({ result, dryRun, id, table, fields }) {
  const what = dryRun ? "Dry run, nothing was written" : `The server says: ${result}`;
  const which = fields.length > 0 ? `; what differs: ${fields.join(", ")}` : "";
  return `${what} (${table}, id ${id})${which}.`;
}
