// From a schema to the fields of a form, and from their contents to the JSON text that is sent.
//
// The text is put together here instead of by `JSON.stringify`, so that a number is sent as it was typed:
// 9007199254740993 is no number of JavaScript, but one of JSON.

/** Objects within objects; what is deeper is written as JSON. */
const DEEPEST = 5;
/** A schema may declare thousands of fields, which makes no form. */
const MOST = 300;

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** The member names that a JSON Pointer leads over; `#/employee/name` is `["employee", "name"]`. */
export function pathOf(pointer) {
  const names = decodeURIComponent(pointer.slice(1)).split("/").slice(1);
  return names.map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** A path as the key of a map. */
export const keyOf = (path) => JSON.stringify(path);

/** The fields that a schema declares: `{ path, label, kind, required, choices }`. */
export function fieldsOf(root) {
  const fields = [];
  const walk = (schema, path, required) => {
    if (fields.length === MOST) return;
    schema = resolved(schema, root);
    const kind = kindOf(schema);
    if (path.length === 0 || (kind === "object" && path.length < DEEPEST)) {
      for (const [name, member] of Object.entries(schema.properties ?? {})) {
        walk(member, [...path, name], schema.required?.includes(name) ?? false);
      }
      return;
    }
    const shown = kind === "object" ? "json" : kind;
    fields.push({ path, label: path.join("."), kind: shown, required, choices: schema.enum });
  };
  walk(root, [], false);
  return fields;
}

/** What a reference to another place of the same schema leads to. */
function resolved(schema, root) {
  for (let steps = 0; steps < DEEPEST && schema?.$ref?.startsWith?.("#"); steps++) {
    const { $ref, ...beside } = schema;
    schema = { ...pathOf($ref).reduce((at, name) => at?.[name], root), ...beside };
  }
  return typeof schema === "object" && schema ? schema : {};
}

function kindOf({ type, format, properties, enum: choices }) {
  if (choices) return "choice";
  const [only, ...others] = [type].flat().filter((each) => each !== "null");
  if (others.length > 0) return "json";
  if (only === "object") return Object.keys(properties ?? {}).length > 0 ? "object" : "json";
  if (only === "number" || only === "integer" || only === "boolean") return only;
  if (only === "string") return ["email", "date"].includes(format) ? format : "text";
  return "json";
}

/**
 * The JSON text of what was filled in. An empty field is left out.
 *
 * @param contents What each field holds, by the key of its path.
 * @returns `{ text, faults }`; the faults are those of contents that no text can be made of.
 */
export function written(fields, contents) {
  const root = new Map();
  const faults = [];
  for (const { path, kind } of fields) {
    const content = contents.get(keyOf(path)) ?? "";
    if (content === "") continue;
    if (kind === "json" && !isJson(content)) faults.push({ path, detail: "this is no JSON" });
    const object = path.slice(0, -1).reduce((at, name) => {
      if (!at.has(name)) at.set(name, new Map());
      return at.get(name);
    }, root);
    object.set(path.at(-1), valueOf(kind, content));
  }
  return { text: textOf(root, ""), faults };
}

function valueOf(kind, content) {
  if (["json", "choice", "boolean"].includes(kind)) return content;
  // What is no number is sent as the text that it is, and the gate says what is wrong with it.
  if ((kind === "number" || kind === "integer") && NUMBER.test(content.trim())) return content.trim();
  return JSON.stringify(content);
}

function textOf(value, indent) {
  if (typeof value === "string") return value;
  const members = [...value].map(
    ([name, member]) => `\n${indent}  ${JSON.stringify(name)}: ${textOf(member, `${indent}  `)}`,
  );
  return members.length === 0 ? "{}" : `{${members.join(",")}\n${indent}}`;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
