// Measures the core beside its peer, in whatever engine this is imported into.

import { HASHES, closings, parse, peer } from "./peer.mjs";

// How often each side of a case has its turn, of one that is for information only, and how long a
// turn takes, in milliseconds.
const ROUNDS = 11;
const FEWER_ROUNDS = 5;
const TURN = 60;
// How long what is new runs before it is measured: engines compile it anew once it is seen to matter.
const WARM_UP = 300;
// How many digests that come later are asked for at a time.
const PENDING = 64;

// `tidegate` is the package, loaded; `read` gives the bytes of a file; `hashes` are the platform's own.
export async function measure(engine, tidegate, read, hashes = {}) {
  const json = async (name) => parse(await read(name));
  for (const entry of await json("cases.json")) {
    const [schema, payload] = [await read(entry.schema), await read(entry.payload)];
    const gate = tidegate.prepare(schema);
    await one(engine, gate, { ...entry, schema: parse(schema), payload }, { ...HASHES, ...hashes });
    gate.free();
  }
}

// How many resources pass. What a check found is made to objects only where it is looked at.
function checks(gate, bulk, count) {
  if (!bulk) {
    return (payload) => (gate.check(payload).valid ? 1 : 0);
  }
  return (payload) => {
    const result = gate.checkBulk(payload);
    return result.valid ? (count ?? result.items.length) : 0;
  };
}

async function one(engine, gate, { name, schema, payload, bulk, accepted }, hashes) {
  const text = new TextDecoder().decode(payload);
  const value = JSON.parse(text);
  const expected = accepted ? (bulk ? value.length : 1) : 0;
  const peers = closings(schema).map((closing) => ({ closing, ...peer(schema, closing, bulk) }));
  for (const { closing, check } of peers) {
    agree(`${name} with ${closing}`, checks(gate, bulk), check, value, bulk, expected);
  }

  const passed = checks(gate, bulk, expected);
  const ours = side(() => passed(payload), expected);
  await callsFor(ours, WARM_UP);
  const theirs = await fastest(
    peers.map((peer) => ({ ...side(() => peer.check(parse(payload)), expected), peer })),
  );
  const { closing, check, checkWith, validate } = theirs.peer;
  console.log(`      ${engine}-${name}: ${payload.length} bytes; Ajv with \`${closing}\``);

  const line = async (variant, peer, ours, theirs, rounds = ROUNDS) => {
    const [our, their] = await inTurn(rounds, TURN, [ours, theirs]);
    const speed = (milliseconds) => payload.length / milliseconds / 1e3;
    const [a, b] = [speed(our), speed(their)];
    console.log(
      `bench ${engine}-${name}${variant} ours=${a.toFixed(2)} peer=${peer}:${b.toFixed(2)} ` +
        `ratio=${(a / b).toFixed(3)} unit=MB/s`,
    );
  };
  if (!bulk) {
    await line(
      "-verdict",
      "ajv",
      side(() => (gate.isValid(payload) ? 1 : 0), expected),
      side(() => validate(parse(payload)), expected),
    );
  }
  await line("", "ajv", ours, theirs);
  if (accepted) {
    const digesting = await fastest(
      Object.entries(hashes).map(([name, hash]) => ({
        ...side(() => checkWith(hash, parse(payload)), expected),
        name,
      })),
    );
    const whole = checks(gate, bulk);
    await line("-digest", `ajv+${digesting.name}`, side(() => whole(payload), expected), digesting);
  } else {
    // Ours names all that is wrong.
    const all = peer(schema, closing, bulk, true);
    await line("-all", "ajv-all-errors", ours, side(() => all.check(parse(payload)), expected));
  }
  // What the border costs who has no bytes.
  await line(
    "-text",
    "ajv",
    side(() => passed(text), expected),
    side(() => check(JSON.parse(text)), expected),
    FEWER_ROUNDS,
  );
  await line(
    "-value",
    "ajv",
    side(() => passed(value), expected),
    side(() => check(value), expected),
    FEWER_ROUNDS,
  );
}

// Both have to say the same of the payload, and of others that are nearly the same.
function agree(what, passed, check, value, bulk, expected) {
  const encoder = new TextEncoder();
  const ask = (which, value, expected) => {
    const bytes = encoder.encode(JSON.stringify(value));
    const [ours, theirs] = [passed(bytes), check(parse(bytes))];
    if (ours !== theirs || (expected !== undefined && ours !== expected)) {
      throw new Error(`${what}, ${which}: ${ours} passed here, ${theirs} there, expected ${expected}`);
    }
  };
  ask("as it is", value, expected);
  const last = bulk ? value.at(-1) : value;
  const changed = (item) => (bulk ? [...value.slice(0, -1), item] : item);
  ask("with an unknown member", changed({ ...last, unknownMember: 1 }), 0);
  for (const member of Object.keys(last)) {
    const { [member]: _, ...rest } = last;
    ask(`without \`${member}\``, changed(rest));
    ask(`with null as \`${member}\``, changed({ ...last, [member]: null }));
    ask(`with an object as \`${member}\``, changed({ ...last, [member]: { a: 1 } }));
  }
  if (bulk) {
    ask("with one twice", [...value.slice(0, -1), value[0]], 0);
  }
}

function side(call, expected) {
  return { call, expected };
}

async function fastest(sides) {
  const times = sides.length > 1 ? await inTurn(5, TURN / 2, sides) : [0];
  return sides[times.indexOf(Math.min(...times))];
}

// The medians of the milliseconds that a call of each side takes.
async function inTurn(rounds, milliseconds, sides) {
  const calls = [];
  for (const side of sides) {
    calls.push(await callsFor(side, milliseconds));
  }
  const times = sides.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [number, side] of sides.entries()) {
      times[number].push((await turn(side, calls[number])) / calls[number]);
    }
  }
  return times.map((times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]);
}

// How many calls fill a turn. Finding out also warms the side up.
async function callsFor(side, milliseconds) {
  for (let calls = 1; ; calls *= 2) {
    const took = await turn(side, calls);
    if (took >= milliseconds) {
      return Math.max(1, Math.round((calls * milliseconds) / took));
    }
  }
}

async function turn({ call, expected }, calls) {
  let passed = 0;
  const begun = performance.now();
  for (let left = calls; left > 0; ) {
    const first = call();
    passed += first instanceof Promise ? 0 : first;
    left -= 1;
    if (first instanceof Promise) {
      const pending = [first];
      for (; left > 0 && pending.length < PENDING; left--) {
        pending.push(call());
      }
      for (const one of await Promise.all(pending)) {
        passed += one;
      }
    }
  }
  const took = performance.now() - begun;
  if (passed !== expected * calls) {
    throw new Error(`${passed} passed in ${calls} calls, and ${expected} should have in each`);
  }
  return took;
}
