// What the package offers, over the texts of `core.js`.

import { textOf, viewOf } from "./bytes.js";
import * as core from "./core.js";
import { SchemaError, UnreadableError } from "./errors.js";

// Only `prepare` makes gates.
const OPEN = Symbol();

// Where other files find a gate's schema.
export const SCHEMA = Symbol();

export function prepare(schema) {
  return new Gate(schema, OPEN);
}

export function digest(payload) {
  return readable(() => core.digest(jsonOf(payload)));
}

export function diff(before, after) {
  return JSON.parse(readable(() => core.diff(jsonOf(before), jsonOf(after))));
}

export class Gate {
  #schema;
  #report;

  constructor(schema, door) {
    if (door !== OPEN) {
      throw new TypeError("a gate is made by `prepare(schema)`");
    }
    this.#schema = new core.Schema(jsonOf(schema));
    this.#report = JSON.parse(refusing(notASchema, () => this.#schema.report()));
  }

  get effectiveSchema() {
    return this.#report.effectiveSchema;
  }

  get digest() {
    return this.#report.digest;
  }

  get columns() {
    return this.#report.columns;
  }

  get openObjects() {
    return this.#report.openObjects;
  }

  get warnings() {
    return this.#report.warnings;
  }

  check(payload, options) {
    return JSON.parse(this.#usable().check(jsonOf(payload), shows(options)));
  }

  isValid(payload) {
    return this.#usable().valid(jsonOf(payload));
  }

  checkBulk(items, options) {
    const report = this.#usable().checkBulk(itemsOf(items), shows(options));
    if (!report.startsWith('{"valid":true')) {
      return JSON.parse(report);
    }
    // Whoever only wants to know whether it passes needs no thousands of objects.
    let parsed;
    return {
      valid: true,
      get items() {
        return (parsed ??= JSON.parse(report).items);
      },
    };
  }

  plan(manifest, items, options) {
    const [stored, text] = [jsonOf(manifest), itemsOf(items)];
    const plan = refusing(notAManifest, () => this.#usable().plan(stored, text, shows(options)));
    return JSON.parse(plan);
  }

  compare(before, after, options) {
    return JSON.parse(this.#usable().compare(itemsOf(before), itemsOf(after), shows(options)));
  }

  bulkBody(items) {
    const text = itemsOf(items);
    return readable(() => core.bulkBody(text));
  }

  // For `files.js`.
  [SCHEMA]() {
    return this.#usable();
  }

  free() {
    this.#schema?.free();
    this.#schema = undefined;
  }

  #usable() {
    if (this.#schema === undefined) {
      throw new TypeError("this gate was given back by `free()`");
    }
    return this.#schema;
  }
}

if (Symbol.dispose) {
  Gate.prototype[Symbol.dispose] = Gate.prototype.free;
}

function notASchema(refusal) {
  return new SchemaError(JSON.parse(refusal).problems);
}

function shows(options) {
  return options?.showValues === true;
}

// The JSON text of a payload: a string, or bytes.
function jsonOf(payload) {
  return viewOf(payload) ?? textOf(payload);
}

// Likewise of several. One object alone is no snapshot of one resource, but a mistake.
function itemsOf(items) {
  if (typeof items !== "string" && !Array.isArray(items) && viewOf(items) === undefined) {
    throw new TypeError("expected an array of values, or JSON text");
  }
  return jsonOf(items);
}

function readable(work) {
  return refusing((refusal) => {
    const report = JSON.parse(refusal);
    return new UnreadableError(report.detail, report);
  }, work);
}

export function notAManifest(refusal) {
  return new TypeError(JSON.parse(refusal).detail);
}

// What the core refuses, it refuses with a text, from which an error is made.
export function refusing(error, work) {
  try {
    return work();
  } catch (refusal) {
    throw typeof refusal === "string" ? error(refusal) : refusal;
  }
}
