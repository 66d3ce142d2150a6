// What the package offers, over the texts of `core.js`.

import * as core from "./core.js";
import { SchemaError, UnreadableError } from "./errors.js";

// Only `prepare` makes gates.
const OPEN = Symbol();

export function prepare(schema) {
  return new Gate(schema, OPEN);
}

export function digest(payload) {
  return readable(() => core.digest(core.textOf(payload)));
}

export function diff(before, after) {
  return JSON.parse(readable(() => core.diff(core.textOf(before), core.textOf(after))));
}

export class Gate {
  #schema;
  #report;

  constructor(schema, door) {
    if (door !== OPEN) {
      throw new TypeError("a gate is made by `prepare(schema)`");
    }
    this.#schema = new core.Schema(core.textOf(schema));
    this.#report = JSON.parse(refusing(({ problems }) => new SchemaError(problems), () => this.#schema.report()));
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
    return JSON.parse(this.#usable().check(core.textOf(payload), options?.showValues === true));
  }

  isValid(payload) {
    return this.#usable().valid(core.textOf(payload));
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

function readable(work) {
  return refusing((report) => new UnreadableError(report.detail, report), work);
}

// The core refuses in JSON, which an error is made from.
function refusing(error, work) {
  try {
    return work();
  } catch (refusal) {
    throw typeof refusal === "string" ? error(JSON.parse(refusal)) : refusal;
  }
}
