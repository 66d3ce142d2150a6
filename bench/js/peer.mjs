// What a user would write instead: JSON.parse, Ajv, the id, and a digest where one is asked for.

import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { blake3 } from "@noble/hashes/blake3.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { stringify } from "safe-stable-stringify";

// Beside these, `additionalProperties` at the root says less than `unevaluatedProperties`.
const APPLICATORS = [
  "$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "additionalProperties",
];

// Fatal, because a text that is no UTF-8 must not pass.
const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

// What gives the digest of a text, here and there; a platform may add its own.
export const HASHES = {
  "noble-sha256": (text) => sha256(encoder.encode(text)),
  "noble-blake3": (text) => blake3(encoder.encode(text)),
  subtle: (text) => crypto.subtle.digest("SHA-256", encoder.encode(text)),
};

// The keywords that close the root of this schema as the gate does.
export function closings(schema) {
  const alike = APPLICATORS.every((keyword) => !(keyword in schema));
  return alike ? ["unevaluatedProperties", "additionalProperties"] : ["unevaluatedProperties"];
}

export function parse(bytes) {
  return JSON.parse(decoder.decode(bytes));
}

// With `allErrors`, the first error does not end it.
export function peer(schema, closing, bulk, allErrors = false) {
  const ajv = new Ajv2020({ allErrors, strict: false, logger: false });
  addFormats(ajv);
  const passes = ajv.compile({ ...schema, [closing]: false });
  const idOf = reader(schema.resmo.id);

  function validate(value) {
    return passes(value) ? 1 : 0;
  }

  function check(value) {
    if (!bulk) {
      return passes(value) && usable(idOf(value)) ? 1 : 0;
    }
    const ids = new Set();
    return all(value, (id) => ids.add(id)) && ids.size === value.length ? ids.size : 0;
  }

  // Whether all items pass; keeps each with its id.
  function all(items, keep) {
    for (const item of items) {
      if (!passes(item)) {
        return false;
      }
      const id = idOf(item);
      if (!usable(id)) {
        return false;
      }
      keep(id, item);
    }
    return true;
  }

  // As `check`, with digests that member order and white space leave as they are.
  let kept;
  function checkWith(hash, value) {
    if (!bulk) {
      if (check(value) === 0) {
        return 0;
      }
      kept = hash(stringify(value));
      return kept instanceof Promise ? kept.then(() => 1) : 1;
    }
    const digests = new Map();
    if (!all(value, (id, item) => digests.set(id, hash(stringify(item))))) {
      return 0;
    }
    kept = digests;
    const passed = digests.size === value.length ? digests.size : 0;
    const first = digests.values().next().value;
    return first instanceof Promise ? Promise.all(digests.values()).then(() => passed) : passed;
  }

  return { validate, check, checkWith };
}

function usable(id) {
  return typeof id === "string" && id !== "";
}

// As it would stand in a user's code, and not a walk along a list of names.
export function reader(path) {
  const names = path.replace(/^\$\./, "").split(".");
  return new Function("value", `return value${names.map((name) => `?.[${JSON.stringify(name)}]`).join("")}`);
}
