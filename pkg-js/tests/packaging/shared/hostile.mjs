// What nobody should do to a gate, and what it tells then: an ordinary answer, or a `CrashError` after which
// everything works as before.

import { ada, bad, schema } from "./data.mjs";

const MIB = 1024 * 1024;
const nested = (depth, [open, middle, close]) => open.repeat(depth) + middle + close.repeat(depth);
const withProperty = (property) => ({
  type: "object",
  properties: { id: { type: "string" }, a: property },
  resmo: { id: "id" },
});

const SCHEMAS = {
  deepest: () => JSON.stringify(withProperty({})).replace("{}", nested(60, ['{"items":', "{}", "}"])),
  tooDeep: () => JSON.stringify(withProperty({})).replace("{}", nested(64, ['{"items":', "{}", "}"])),
  muchTooDeep: () => nested(100_000, ['{"items":', "{}", "}"]),
  doubling: () => {
    const $defs = { d0: { type: "string" } };
    for (let link = 1; link <= 40; link++) {
      $defs[`d${link}`] = { allOf: [{ $ref: `#/$defs/d${link - 1}` }, { $ref: `#/$defs/d${link - 1}` }] };
    }
    return { ...withProperty({ $ref: "#/$defs/d40" }), $defs };
  },
  endless: () => ({ ...withProperty({ $ref: "#/$defs/x" }), $defs: { x: { $ref: "#/$defs/x" } } }),
  recursive: () => withProperty({ items: { $ref: "#/properties/a" } }),
  hugePattern: () => withProperty({ pattern: "(?:a{1000}){1000}" }),
  backtracking: () => withProperty({ pattern: "^(a+)+$" }),
  longPattern: () => withProperty({ pattern: "a|".repeat(60_000) }),
  tooLarge: () => JSON.stringify({ ...withProperty({}), $comment: "x".repeat(256 * 1024) }),
  large: () => JSON.stringify({ ...withProperty({}), $comment: "x".repeat(200 * 1024) }),
};

const PAYLOADS = {
  deepest: () => `{"id":"1","a":${nested(127, ["[", "", "]"])}}`,
  tooDeep: () => `{"id":"1","a":${nested(128, ["[", "", "]"])}}`,
  muchTooDeep: () => nested(MIB / 2, ["[", "", "]"]),
  unclosed: () => "[".repeat(MIB),
  largest: () => `{"id":"1","a":"${"x".repeat(MIB - 17)}"}`,
  tooLarge: () => `{"id":"1","a":"${"x".repeat(MIB - 16)}"}`,
  tooLargeInBytes: () => `{"id":"1","a":"${"é".repeat(MIB / 2)}"}`,
  long: () => "x".repeat(64 * MIB),
  // Not written to, so hardly any of it is really there.
  huge: () => new Uint8Array(1024 * MIB),
  sameMember: () => '{"id":"1","a":1,"\\u0061":2}',
  loneSurrogate: () => '{"id":"1","a":"\ud800"}',
  escapedLoneSurrogate: () => '{"id":"1","a":"\\ud800"}',
  notUtf8: () => new Uint8Array([0x22, 0xff, 0x22]),
  nothing: () => "",
  longNumber: () => `{"id":"1","a":1${"0".repeat(MIB / 2)}}`,
  hugeExponent: () => '{"id":"1","a":1e999999999999}',
  prototype: () => '{"id":"1","__proto__":{"id":"2"},"constructor":1}',
};

/** The answers to what is hostile. */
export function hostile({ prepare, SchemaError }) {
  const told = { schemas: {}, payloads: {} };
  for (const [name, make] of Object.entries(SCHEMAS)) {
    try {
      const gate = prepare(make());
      told.schemas[name] = gate.isValid(PAYLOADS.deepest());
      gate.free();
    } catch (error) {
      told.schemas[name] = error instanceof SchemaError ? error.problems.map(({ code }) => code) : String(error);
    }
  }
  const gate = prepare(withProperty(true));
  for (const [name, make] of Object.entries(PAYLOADS)) {
    const payload = make();
    const { valid, code, violations } = gate.check(payload);
    // Both must say the same.
    told.payloads[name] = gate.isValid(payload) === valid && (code ?? valid);
    if (violations.length) told.payloads[name] += ` ${violations.map(({ code }) => code)}`;
  }
  told.bulk = gate.checkBulk(new Uint8Array(1024 * MIB)).code;
  return told;
}

/** Many gates at a time, some of which are given back. */
export function many({ prepare }) {
  const gates = Array.from({ length: 60 }, () => prepare(schema));
  for (const gate of gates.filter((_, index) => index % 3 === 0)) gate.free();
  const left = gates.filter((_, index) => index % 3 !== 0);
  return left.filter((gate) => gate.check(ada).valid && !gate.isValid(bad)).length;
}

/** Has the module run out of stack: checks from deeper and deeper down, until none is left. */
export function exhaustStack({ CrashError, prepare }) {
  const [gate, other] = [prepare(SCHEMAS.recursive()), prepare(schema)];
  const [deep, before] = [PAYLOADS.deepest(), JSON.stringify(other.check(ada))];
  const at = (depth, work) => (depth === 0 ? work() : at(depth - 1, work));
  let deepest = 0;
  const descend = () => (deepest++, descend());
  const told = { answers: false, crashes: false, inModule: false, others: [], recovers: true };
  // A function that has never run needs more of the stack than later.
  new CrashError("");
  gate.check(deep);
  try {
    descend();
  } catch {}
  // Nobody knows how much a level takes now, and how much after the compiler has been at it.
  for (let depth = deepest >> 1; depth < 2 * deepest && !told.inModule; depth += 16) {
    try {
      const { valid } = at(depth, () => gate.check(deep));
      told.answers ||= valid;
    } catch (error) {
      if (error instanceof CrashError) {
        told.crashes = true;
        // The module's functions are on top of the stack where it failed.
        told.inModule ||= /wasm/.test(String(error.cause?.stack).split("\n", 3).join());
      } else if (!(error instanceof RangeError)) {
        told.others.push(String(error));
      }
      told.recovers &&= gate.isValid(deep) && JSON.stringify(other.check(ada)) === before && !other.isValid(bad);
    }
  }
  told.prepared = prepare(schema).isValid(ada);
  return told;
}

/** Has the module run out of memory. */
export function exhaustMemory({ CrashError, prepare }) {
  const gate = prepare(schema);
  const told = {};
  const items = new Uint8Array(15 * MIB).fill(0x20);
  try {
    gate.plan(new Uint8Array(100 * MIB).fill(0x20), items);
  } catch (error) {
    told.crashes = error instanceof CrashError;
    told.inModule = error.cause instanceof WebAssembly.RuntimeError;
  }
  told.after = [gate.check(ada).valid, gate.isValid(bad), gate.checkBulk(items).valid];
  return told;
}
