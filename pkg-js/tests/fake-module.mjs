// What a worker's far side needs, without the module: a gate for lines of text.

import { CrashError, SchemaError, UnreadableError } from "../js/errors.js";

/** What the last `FileCheck`s were told, for tests in the same thread. */
export const log = [];

export async function init(source) {
  log.push(["init", source]);
  if (source === "missing") throw Object.assign(new Error("cannot be fetched"), { name: "LinkError" });
}

export function prepare(schema) {
  log.push(["prepare", schema]);
  const text = typeof schema === "string" ? schema : new TextDecoder().decode(schema);
  if (text === "unreadable") {
    throw new UnreadableError("expected a value", {
      code: "malformed-json",
      line: 1,
      column: 1,
      offset: 0,
      pointer: "#",
    });
  }
  if (text.includes("wrong")) {
    throw new SchemaError([
      { pointer: "#/type", code: "root-type", detail: "expected `object`" },
      { pointer: "#", code: "resource-keyword", detail: "missing `resmo`" },
    ]);
  }
  return {
    plan(manifest) {
      if (!JSON.parse(manifest).items) throw new TypeError("a manifest is an object with `items`");
    },
  };
}

/** Each line is a resource; one with `bad` does not pass, after one with `stop` nothing is read. */
export class FileCheck {
  itemCount = 0;
  invalidItems = 0;
  isOver = false;
  freed = false;
  #bytes = 0;

  constructor(gate, options) {
    log.push(["check", options, this]);
  }

  push(piece) {
    if (!(piece instanceof Uint8Array)) throw new TypeError("no bytes");
    this.#bytes += piece.length;
    const text = new TextDecoder().decode(piece);
    const slow = /slow (\d+)/.exec(text.slice(0, 1000));
    if (slow) for (const until = performance.now() + Number(slow[1]); performance.now() < until;);
    if (text.includes("crash"))
      throw new CrashError("the stack did not suffice", { cause: new RangeError("overflow") });
    if (text.includes("exit")) process.exit(3);
    if (text.includes("throw"))
      setTimeout(() => {
        throw new Error("out of nowhere");
      });
    this.itemCount += text.split("\n").length - 1;
    this.invalidItems += text.split("bad").length - 1;
    this.isOver ||= text.includes("stop");
  }

  finish(manifest) {
    const { itemCount, invalidItems } = this;
    const result = { valid: invalidItems === 0, bytes: this.#bytes, itemCount, invalidItems, fitsOneBulk: true };
    return manifest === undefined ? result : { ...result, manifest };
  }

  free() {
    if (this.freed) throw new Error("freed twice");
    this.freed = true;
  }
}
