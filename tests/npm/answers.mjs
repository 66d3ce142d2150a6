// Answers the tests' requests by the npm package, with the texts that its objects are parsed from. It runs
// in Node.js and in pages. What the requests are, `tests/guest/src/ops.rs` says.

// `core` is the package's `core.js`, whose module is started.
export function answers(core) {
  return (request) => {
    const { requests, ...rest } = JSON.parse(request);
    // Preparing is the dear step; a corpus has many questions about one schema.
    const prepared = once(() => prepare(core, bytes(rest.schema)));
    if (rest.op === "batch") {
      return `{"answers":[${requests.map((request) => one(core, prepared, request)).join()}]}`;
    }
    return one(core, prepared, rest);
  };
}

function one(core, prepared, { op, payload, before, after, manifest, pieces, showValues = false }) {
  try {
    switch (op) {
      case "ping":
        return '{"ok":"pong"}';
      case "prepare":
        return prepared().report;
      case "check":
        return prepared().schema.check(bytes(payload), showValues);
      case "bulk":
      case "items":
        return prepared().schema.checkBulk(bytes(payload), showValues);
      case "planned":
        return prepared().schema.plan(bytes(manifest), bytes(payload), showValues);
      case "plan":
        return prepared().schema.compare(bytes(before), bytes(after), showValues);
      case "stream":
        return stream(core, prepared().schema, bytes(payload), pieces, showValues);
      case "digest":
        return `{"digest":"${core.digest(bytes(payload))}"}`;
      case "diff":
        return `{"fields":${core.diff(bytes(before), bytes(after))}}`;
      default:
        return JSON.stringify({ error: `no operation \`${op}\`` });
    }
  } catch (error) {
    // What the core refuses, it refuses in JSON.
    return typeof error === "string" ? error : JSON.stringify({ trap: `${error.name}: ${error.message}` });
  }
}

function prepare(core, text) {
  const schema = new core.Schema(text);
  return { schema, report: schema.report() };
}

function stream(core, schema, payload, length, showValues) {
  const stream = new core.Stream(schema, showValues);
  for (let at = 0; at < payload.length; at += length) {
    stream.push(payload.slice(at, at + length));
  }
  return stream.finish();
}

// A payload is a string, or a list of bytes.
function bytes(payload = "") {
  return typeof payload === "string" ? new TextEncoder().encode(payload) : Uint8Array.from(payload);
}

// What it gives or throws, the first time.
function once(make) {
  let made;
  return () => {
    made ??= attempt(make);
    if (made.failed) {
      throw made.error;
    }
    return made.value;
  };
}

function attempt(make) {
  try {
    return { value: make() };
  } catch (error) {
    return { failed: true, error };
  }
}
