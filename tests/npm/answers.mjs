// Answers the tests' requests by the npm package, with the texts that its objects are parsed from. It runs
// in Node.js and in pages. What the requests are, `tests/guest/src/ops.rs` says.

// `core` is the package's `core.js`, whose module is started, and `problemOf` what its `problem.js` has.
export function answers(core, problemOf) {
  return (request) => {
    const { requests, ...rest } = JSON.parse(request);
    // Preparing is the dear step; a corpus has many questions about one schema.
    const prepared = once(() => prepare(core, bytes(rest.schema)));
    const answer = (request) => one({ core, prepared, problemOf }, request);
    return rest.op === "batch" ? `{"answers":[${requests.map(answer).join()}]}` : answer(rest);
  };
}

function one({ core, prepared, problemOf }, { op, payload, before, after, manifest, pieces, showValues }) {
  // As a problem document, where the core gives a report.
  const refused = (text) => {
    const report = JSON.parse(text);
    return report.valid === true ? text : JSON.stringify({ valid: false, ...problemOf(report) });
  };
  try {
    switch (op) {
      case "ping":
        return '{"ok":"pong"}';
      case "prepare":
        return prepared().report;
      case "check":
        return prepared().schema.check(bytes(payload), showValues === true);
      case "bulk":
        return refused(prepared().schema.checkBulk(bytes(payload), showValues === true, true));
      case "items":
        return prepared().schema.checkBulk(bytes(payload), showValues === true);
      case "planned":
        return prepared().schema.plan(bytes(manifest), bytes(payload), showValues === true);
      case "plan": {
        // Of two arrays; a comparison takes NDJSON as well.
        for (const items of [before, after]) {
          const report = refused(prepared().schema.checkBulk(bytes(items), showValues === true, true));
          if (report.startsWith('{"valid":false')) {
            return report;
          }
        }
        const compared = prepared().schema.compare(bytes(before), bytes(after), showValues === true);
        return compared.replace('{"valid":true,', "{");
      }
      case "compare":
        return prepared().schema.compare(bytes(before), bytes(after), showValues === true);
      case "stream":
        return stream(core, prepared().schema, bytes(payload), { pieces, manifest, showValues });
      case "digest":
        return `{"digest":"${core.digest(bytes(payload))}"}`;
      case "diff":
        return `{"fields":${core.diff(bytes(before), bytes(after))}}`;
      default:
        return JSON.stringify({ error: `no operation \`${op}\`` });
    }
  } catch (error) {
    if (typeof error !== "string") {
      return JSON.stringify({ trap: `${error.name}: ${error.message}` });
    }
    // What the core refuses, it refuses with a report.
    const report = JSON.parse(error);
    if (report.problems) {
      return op === "prepare" ? error : JSON.stringify(schemaInvalid(report));
    }
    return report.code ? refused(error) : JSON.stringify({ notAManifest: report });
  }
}

function schemaInvalid({ problems }) {
  const detail =
    problems.length === 1 ? `a problem: ${problems[0].detail}` : `${problems.length} problems`;
  return {
    type: "urn:tidegate:problem:schema-invalid",
    code: "schema-invalid",
    title: "Schema invalid",
    status: 422,
    detail: `the schema has ${detail}`,
    errors: problems,
  };
}

function prepare(core, text) {
  const schema = new core.Schema(text);
  return { schema, report: schema.report() };
}

function stream(core, schema, payload, { pieces = payload.length, manifest, showValues }) {
  const stream = new core.Stream(schema, showValues === true);
  for (let at = 0; at < payload.length; at += pieces) {
    stream.push(payload.slice(at, at + pieces));
  }
  return stream.finish(manifest === undefined ? undefined : bytes(manifest));
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
