// The client against a server of our own on the loopback, which answers what each test says.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";

import { Client, ConnectionError, ProblemError } from "../js/client.js";
import { TidegateError } from "../js/errors.js";
import { failure } from "./failure.mjs";

const KEY = "tgk_0123456789abcdef";
const limit = { timeout: 60_000 };

/** What came in, in order. */
let requests = [];
/** What is answered, one each; the last one for ever. An answer is `[status, headers, body]` or does it itself. */
let answers = [];
let server;
let url;

const json = (body, status = 200, headers = {}) => [
  status,
  { "Content-Type": "application/json", ...headers },
  typeof body === "string" ? body : JSON.stringify(body),
];
const problem = (code, status, more = {}, headers = {}) =>
  json({ type: `urn:tidegate:problem:${code}`, code, title: code, status, detail: `about ${code}`, ...more }, status, {
    "Content-Type": "application/problem+json",
    "X-Request-Id": "request-1",
    ...headers,
  });
const unavailable = (retryAfter) =>
  problem("storage-unavailable", 503, {}, retryAfter === undefined ? {} : { "Retry-After": retryAfter });

before(async () => {
  server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, headers } = request;
    requests.push({ method, url: request.url, headers, body: Buffer.concat(chunks).toString(), at: performance.now() });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (typeof answer === "function") return answer(response);
    const [status, answered, body] = answer;
    response.writeHead(status, answered).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = [];
  answers = [json({ result: "added", id: "1" }, 201)];
});

const client = (options = {}) => new Client({ url, key: KEY, retries: 2, maxRetryDelay: 1500, ...options });

/** A gate that says what it is told to, and remembers what it was asked. */
function fakeGate(verdict = { valid: true }) {
  const asked = [];
  const ask =
    (name) =>
    (...given) => {
      asked.push([
        name,
        ...given.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value)),
      ]);
      return verdict;
    };
  return {
    asked,
    check: ask("check"),
    checkBulk: ask("checkBulk"),
    plan: ask("plan"),
    bulkBody: (items) => new TextEncoder().encode(`[${Buffer.from(items).toString().trim().split("\n").join(",")}]`),
  };
}
const rejection = (more = {}) => ({
  valid: false,
  code: "payload-invalid",
  detail: "unknown field; did you mean `salary`?",
  violations: [
    {
      pointer: "#/salry",
      schemaPointer: "#/unevaluatedProperties",
      keyword: "unevaluatedProperties",
      code: "unknown-field",
      detail: "unknown field; did you mean `salary`?",
    },
  ],
  id: null,
  name: null,
  importantFields: [],
  digest: null,
  ...more,
});

describe("what is sent", limit, () => {
  test("a resource", async () => {
    const answer = await client().send("employee", { employeeId: "1", left: undefined });
    assert.deepEqual(answer, { result: "added", id: "1" });
    const [request] = requests;
    assert.equal(request.method, "POST");
    assert.equal(request.url, "/integration/custom-data/event/employee");
    assert.equal(request.headers["x-ingest-key"], KEY);
    assert.equal(request.headers["content-type"], "application/json");
    assert.equal(request.body, '{"employeeId":"1"}');
  });

  test("texts and bytes as they are", async () => {
    const text = '{"employeeId": "1", "big": 9007199254740993, "ä": "€"}';
    const bytes = new TextEncoder().encode(text);
    const padded = Buffer.concat([Buffer.from("xx"), bytes, Buffer.from("yy")]);
    for (const payload of [text, bytes, bytes.buffer, padded.subarray(2, -2), new DataView(bytes.buffer)]) {
      await client().send("employee", payload);
    }
    for (const request of requests) assert.equal(request.body, text);
    assert.equal(requests.length, 5);
  });

  test("the parameters, encoded", async () => {
    await client().send(
      "odd name/?",
      {},
      {
        groupKey: "a&b=c d+é",
        event: "50%",
        actor: { name: "Ada, Countess" },
        dryRun: true,
      },
    );
    const { pathname, searchParams } = new URL(requests[0].url, url);
    assert.equal(pathname, "/integration/custom-data/event/odd%20name%2F%3F");
    assert.deepEqual(Object.fromEntries(searchParams), {
      groupKey: "a&b=c d+é",
      event: "50%",
      actor: '{"name":"Ada, Countess"}',
      dryRun: "true",
    });
  });

  test("no parameter that is not given, and each JSON value as actor", async () => {
    await client().send("t", {}, { groupKey: undefined, event: null, actor: undefined, dryRun: undefined });
    await client().send("t", {}, { actor: null });
    await client().send("t", {}, { actor: "ada" });
    await client().send("t", {}, { groupKey: "", dryRun: false });
    assert.deepEqual(
      requests.map((request) => request.url.split("?")[1]),
      [undefined, "actor=null", "actor=%22ada%22", "groupKey=&dryRun=false"],
    );
  });

  test("a bulk", async () => {
    answers = [json({ result: "applied", added: 2 })];
    const options = { maxRemovals: "20%", details: true, groupKey: "g" };
    assert.deepEqual(await client().sendBulk("employee", [{ employeeId: "1" }], options), {
      result: "applied",
      added: 2,
    });
    await client().sendBulk("employee", ' \r\n\t[{"employeeId": "1"}]', { maxRemovals: 0 });
    await client().sendBulk("employee", new TextEncoder().encode("[]"));
    assert.deepEqual(
      requests.map(({ method, url, body }) => [method, url, body]),
      [
        [
          "POST",
          "/integration/custom-data/bulk-event/employee?groupKey=g&maxRemovals=20%25&details=true",
          '[{"employeeId":"1"}]',
        ],
        ["POST", "/integration/custom-data/bulk-event/employee?maxRemovals=0", ' \r\n\t[{"employeeId": "1"}]'],
        ["POST", "/integration/custom-data/bulk-event/employee", "[]"],
      ],
    );
  });

  test("ids to remove, of which none is two", async () => {
    answers = [json({ result: "applied", removed: 2, ignored: 1 })];
    const ids = ["1", "a,b", "100% & ü+"];
    assert.equal((await client().remove("employee", ids, { event: "left" })).removed, 2);
    const [{ method, url: target, body, headers }] = requests;
    assert.equal(method, "DELETE");
    assert.equal(
      target,
      "/integration/custom-data/employee?event=left&resourceIds=1&resourceIds=a%2Cb&resourceIds=100%25%20%26%20%C3%BC%2B",
    );
    assert.equal(body, "");
    assert.equal(headers["content-type"], undefined);
  });

  test("a request for a manifest", async () => {
    answers = [json({ items: { 1: "aa" } })];
    assert.deepEqual(await client().manifest("employee", { groupKey: "g" }), { items: { 1: "aa" } });
    assert.equal(requests[0].method, "GET");
    assert.equal(requests[0].url, "/integration/custom-data/manifest/employee?groupKey=g");
  });

  test("below the path of the base address", async () => {
    for (const base of [`${url}/a/b`, `${url}/a/b/`, new URL(`${url}/a/b//?query#fragment`)]) {
      await client({ url: base }).manifest("t");
    }
    for (const request of requests) assert.equal(request.url, "/a/b/integration/custom-data/manifest/t");
  });

  test("by the given fetch, called as a function", async () => {
    const calls = [];
    const given = {
      url: "https://tidegate.example",
      async fetch(...call) {
        calls.push([this, ...call]);
        return Response.json({ items: {} });
      },
    };
    await client(given).manifest("t");
    const [[self, target, init]] = calls;
    assert.equal(self, undefined);
    assert.equal(target, "https://tidegate.example/integration/custom-data/manifest/t");
    assert.equal(init.redirect, "manual");
  });
});

describe("what is refused before anything is sent", limit, () => {
  const nothingSent = () => assert.equal(requests.length, 0);

  test("an address or a key that cannot be one", () => {
    for (const wrong of ["", "tidegate.example", "ftp://tidegate.example", "https://user:secret@tidegate.example"]) {
      assert.throws(() => client({ url: wrong }), TypeError, wrong);
    }
    for (const key of [undefined, "", " ", "tgk_\nsecret", "tgk_…", 7]) {
      assert.throws(() => client({ key }), TypeError, String(key));
    }
    try {
      client({ key: "tgk_\nsecret" });
    } catch (error) {
      assert.doesNotMatch(inspect(error), /secret/);
    }
  });

  test("white space around a key is no part of it", async () => {
    await client({ key: `${KEY}\n` }).send("t", {});
    assert.equal(requests[0].headers["x-ingest-key"], KEY);
  });

  test("what JSON.stringify writes nothing for", async () => {
    for (const payload of [undefined, () => {}])
      assert.ok((await failure(client().send("t", payload))) instanceof TypeError);
    nothingSent();
  });

  test("what could be taken for a short snapshot by mistake", async () => {
    const gates = { t: fakeGate() };
    for (const items of [{ employeeId: "1" }, new Set(), 7, undefined, null, "", " \n", new Uint8Array(0)]) {
      for (const options of [{}, { gates }]) {
        assert.ok((await failure(client(options).sendBulk("t", items))) instanceof TypeError, String(items));
      }
    }
    nothingSent();
  });

  test("NDJSON without a gate, which would make it an array", async () => {
    const error = await failure(client().sendBulk("t", '{"id":"1"}\n{"id":"2"}'));
    assert.ok(error instanceof TypeError);
    assert.match(error.message, /NDJSON.*`t`.*`gates`/);
    nothingSent();
  });

  test("ids that are none", async () => {
    for (const ids of ["abc", undefined, [1], [undefined], [""], ["a", null]]) {
      assert.ok((await failure(client().remove("t", ids))) instanceof TypeError);
    }
    nothingSent();
  });

  test("anything whose signal is aborted already", async () => {
    const signal = AbortSignal.abort("enough");
    const gates = { t: fakeGate() };
    const it = client({ gates });
    for (const call of [
      it.send("t", {}, { signal }),
      it.sendBulk("t", [], { signal }),
      it.remove("t", ["1"], { signal }),
      it.manifest("t", { signal }),
      it.preview("t", [], { signal }),
    ]) {
      assert.equal(await failure(call), "enough");
    }
    assert.deepEqual(gates.t.asked, []);
    nothingSent();
  });
});

describe("with a gate", limit, () => {
  test("what passes is sent, the very bytes that were checked", async () => {
    const gate = fakeGate();
    let written = 0;
    const payload = { toJSON: () => ({ employeeId: String(++written) }) };
    await client({ gates: { employee: gate } }).send("employee", payload);
    assert.deepEqual(gate.asked, [["check", '{"employeeId":"1"}']]);
    assert.equal(requests[0].body, '{"employeeId":"1"}');
  });

  test("what does not pass is not sent, and answered as the server would", async () => {
    const error = await failure(client({ gates: { employee: fakeGate(rejection()) } }).send("employee", {}));
    assert.ok(error instanceof ProblemError && error instanceof TidegateError);
    assert.equal(error.name, "ProblemError");
    assert.equal(error.origin, "gate");
    assert.equal(error.status, 422);
    assert.equal(error.code, "payload-invalid");
    assert.equal(error.requestId, null);
    assert.deepEqual(error.problem, {
      type: "urn:tidegate:problem:payload-invalid",
      code: "payload-invalid",
      title: "Payload invalid",
      status: 422,
      detail: "unknown field; did you mean `salary`?",
      errors: rejection().violations,
    });
    assert.equal(error.message, "payload-invalid: #/salry: unknown field; did you mean `salary`?");
    assert.equal(requests.length, 0);
  });

  test("each code has the server's status and title", async () => {
    const expected = {
      "malformed-json": [400, "Malformed JSON"],
      "duplicate-member": [400, "Duplicate member name"],
      "too-large": [413, "Too large"],
      "payload-invalid": [422, "Payload invalid"],
      "missing-id": [422, "Missing id"],
      "duplicate-id": [422, "Duplicate id"],
      "of-tomorrow": [422, "of-tomorrow"],
    };
    for (const [code, [status, title]] of Object.entries(expected)) {
      const error = await failure(client({ gates: { t: fakeGate(rejection({ code })) } }).send("t", {}));
      assert.deepEqual([error.code, error.status, error.title], [code, status, title]);
    }
  });

  test("a text that cannot be read has its place in the problem, and no errors", async () => {
    const place = { line: 1, column: 2, offset: 1, pointer: "#" };
    const verdict = rejection({ code: "malformed-json", detail: "expected a value", violations: [], ...place });
    const error = await failure(client({ gates: { t: fakeGate(verdict) } }).send("t", "{"));
    assert.deepEqual(error.errors, []);
    assert.deepEqual(error.problem, {
      type: "urn:tidegate:problem:malformed-json",
      code: "malformed-json",
      title: "Malformed JSON",
      status: 400,
      detail: "expected a value",
      ...place,
    });
    assert.equal(error.message, "malformed-json: expected a value");
  });

  test("a message names the first faults only", async () => {
    const violations = Array.from({ length: 7 }, (_, item) => ({ item, pointer: "#", detail: "missing id" }));
    const verdict = rejection({ detail: "7 items are invalid, with 7 faults", violations, truncated: true });
    const error = await failure(client({ gates: { t: fakeGate(verdict) } }).sendBulk("t", [{}]));
    assert.equal(error.errors.length, 7);
    assert.equal(error.problem.truncated, true);
    assert.match(error.message, /^payload-invalid: 7 items .*\n {2}item 0 #: missing id\n(.*\n){4} {2}… and 2 more$/);
  });

  test("NDJSON becomes an array, and an array stays what it is", async () => {
    const gate = fakeGate();
    const it = client({ gates: { t: gate } });
    await it.sendBulk("t", '{"id":"1"}\n{"id":"2"}\n');
    await it.sendBulk("t", ' [ {"id":"1"}]');
    await it.sendBulk("t", [{ id: "1" }]);
    assert.deepEqual(
      requests.map((request) => request.body),
      ['[{"id":"1"},{"id":"2"}]', ' [ {"id":"1"}]', '[{"id":"1"}]'],
    );
    assert.deepEqual(
      gate.asked.map(([, text]) => text),
      ['{"id":"1"}\n{"id":"2"}\n', ' [ {"id":"1"}]', '[{"id":"1"}]'],
    );
  });

  test("other tables go without, whatever they are called", async () => {
    const gates = { employee: fakeGate(rejection()) };
    for (const table of ["server", "constructor", "toString", "__proto__"]) await client({ gates }).send(table, {});
    assert.equal(requests.length, 4);
  });

  test("a preview sends no payload", async () => {
    const plan = {
      valid: true,
      added: 1,
      modified: 0,
      removed: 0,
      unchanged: 0,
      changes: [{ type: "added", id: "1" }],
    };
    const gate = fakeGate(plan);
    answers = [json({ items: { 2: "bb" } })];
    assert.equal(await client({ gates: { t: gate } }).preview("t", [{ id: "1" }], { groupKey: "g" }), plan);
    assert.deepEqual(gate.asked, [["plan", { items: { 2: "bb" } }, '[{"id":"1"}]']]);
    assert.deepEqual(
      requests.map(({ method, url, body }) => [method, url, body]),
      [["GET", "/integration/custom-data/manifest/t?groupKey=g", ""]],
    );
  });

  test("a preview of what does not pass, and one without a gate", async () => {
    answers = [json({ items: {} })];
    const error = await failure(client({ gates: { t: fakeGate(rejection()) } }).preview("t", [{}]));
    assert.equal(error.origin, "gate");
    assert.ok((await failure(client().preview("t", [{}]))) instanceof TypeError);
    assert.equal(requests.length, 1);
  });

  test("each try sends the same, whatever becomes of the caller's bytes", async () => {
    const bytes = new TextEncoder().encode('{"id":"1"}');
    answers = [
      (response) => {
        bytes.fill(0x78);
        response.writeHead(503, { "Retry-After": "0" }).end();
      },
      json({ result: "added" }),
    ];
    await client().send("t", bytes);
    assert.deepEqual(
      requests.map((request) => request.body),
      ['{"id":"1"}', '{"id":"1"}'],
    );
  });
});

describe("answers that are none", limit, () => {
  test("a problem of the server", async () => {
    answers = [problem("removal-guard", 409, { removed: 3, limit: 0 })];
    const error = await failure(client().sendBulk("t", []));
    assert.ok(error instanceof ProblemError);
    assert.equal(error.origin, "server");
    assert.equal(error.status, 409);
    assert.equal(error.code, "removal-guard");
    assert.equal(error.detail, "about removal-guard");
    assert.deepEqual(error.errors, []);
    assert.equal(error.problem.removed, 3);
    assert.equal(error.requestId, "request-1");
    assert.equal(requests.length, 1);
  });

  test("what a client did wrong is not sent again", async () => {
    for (const status of [400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 500]) {
      requests = [];
      answers = [problem("some-code", status)];
      assert.equal((await failure(client().send("t", {}))).status, status);
      assert.equal(requests.length, 1, String(status));
    }
  });

  test("what is no answer of a Tidegate", async () => {
    const html = [200, { "Content-Type": "text/html" }, "<!doctype html>"];
    const cases = [
      [html, 200],
      [json("", 200), 200],
      [json("null"), 200],
      [json("7"), 200],
      [[404, { "Content-Type": "text/html" }, "nothing here"], 404],
      [json({ message: "denied" }, 403), 403],
      [json({ title: "of a proxy", code: "x" }, 403, { "Content-Type": "application/problem+json" }), 403],
      [[204, {}, ""], 204],
    ];
    for (const [answer, status] of cases) {
      answers = [answer];
      const error = await failure(client().send("t", {}));
      assert.ok(error instanceof ConnectionError && error instanceof TidegateError, String(error));
      assert.equal(error.name, "ConnectionError");
      assert.equal(error.status, status);
    }
    answers = [html];
    const error = await failure(client().send("t", {}, { event: "private" }));
    assert.match(
      error.message,
      /^POST http:\/\/127\.0\.0\.1:\d+\/integration\/custom-data\/event\/t was answered 200 /,
    );
    assert.ok(error.cause instanceof SyntaxError);
    assert.doesNotMatch(inspect(error), /private/);
  });

  test("a key does not follow a redirect, and no try is wasted on it", async () => {
    for (const status of [301, 302, 307, 308]) {
      requests = [];
      answers = [[status, { Location: "https://elsewhere.example/integration?event=private" }, ""]];
      const error = await failure(client().send("t", {}, { event: "private" }));
      assert.ok(error instanceof ConnectionError);
      assert.equal(error.status, status);
      assert.match(error.message, /redirect to https:\/\/elsewhere\.example\/integration; /);
      assert.doesNotMatch(inspect(error), /private/);
      assert.equal(requests.length, 1);
    }
  });

  test("a redirect as browsers tell of it", async () => {
    const opaque = { ok: false, status: 0, type: "opaqueredirect", headers: new Headers(), text: async () => "" };
    const error = await failure(client({ fetch: async () => opaque }).send("t", {}));
    assert.equal(error.status, null);
    assert.match(error.message, /was answered with a redirect to another address/);
  });
});

describe("tries", limit, () => {
  test("again after a 503, when the server says", async () => {
    answers = [unavailable("1"), json({ result: "unchanged" })];
    assert.equal((await client().send("t", {})).result, "unchanged");
    const [first, second] = requests;
    assert.ok(second.at - first.at >= 990, String(second.at - first.at));
    assert.equal(second.body, first.body);
  });

  test("again at the date that the server says", async () => {
    answers = [unavailable(new Date(Date.now() + 1400).toUTCString()), json({})];
    await client().send("t", {});
    assert.equal(requests.length, 2);
    assert.ok(requests[1].at - requests[0].at >= 350);
    requests = [];
    answers = [unavailable(new Date(Date.now() - 60_000).toUTCString()), json({})];
    await client().send("t", {});
    assert.equal(requests.length, 2);
  });

  test("again after what a proxy says, each time later", async () => {
    answers = [[502, {}, ""], [504, { "Retry-After": "soon" }, ""], [429, { "Retry-After": "1.5" }, ""], json({})];
    await client({ retries: 3 }).send("t", {});
    const waits = requests.slice(1).map((request, i) => request.at - requests[i].at);
    assert.equal(waits.length, 3);
    for (const [i, wait] of waits.entries()) {
      assert.ok(wait >= 100 * 2 ** i - 5 && wait < 200 * 2 ** i + 2000, `${i}: ${wait}`);
    }
  });

  test("no more often than is said, and then it is the server's problem", async () => {
    answers = [unavailable("0")];
    const error = await failure(client().send("t", {}));
    assert.ok(error instanceof ProblemError);
    assert.equal(error.code, "storage-unavailable");
    assert.equal(requests.length, 3);
    requests = [];
    await failure(client({ retries: 0 }).send("t", {}));
    assert.equal(requests.length, 1);
  });

  test("not at all when the server asks for too long a wait", async () => {
    answers = [unavailable("3600")];
    assert.equal((await failure(client().send("t", {}))).status, 503);
    assert.equal(requests.length, 1);
  });

  test("a short longest wait bounds every wait", async () => {
    answers = [[503, {}, ""]];
    const started = performance.now();
    await failure(client({ retries: 20, maxRetryDelay: 10 }).send("t", {}));
    assert.equal(requests.length, 21);
    assert.ok(performance.now() - started < 2000);
  });

  test("again when the connection breaks, before or within the answer", async () => {
    answers = [
      (response) => response.destroy(),
      (response) => {
        response.writeHead(200, { "Content-Length": 100 });
        response.write('{"result"', () => setTimeout(() => response.destroy(), 50));
      },
      json({ result: "added" }),
    ];
    assert.equal((await client().send("t", {})).result, "added");
    assert.equal(requests.length, 3);
  });

  test("and at last a connection that is refused", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address();
    other.close();
    await once(other, "close");
    const error = await failure(
      client({ url: `http://127.0.0.1:${port}`, retries: 1 }).send("t", {}, { event: "private" }),
    );
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.status, null);
    assert.match(error.message, /was not answered: ECONNREFUSED$/);
    assert.ok(error.cause instanceof TypeError);
    assert.doesNotMatch(inspect(error), /private/);
  });

  test("not when a fetch fails in another way", async () => {
    let calls = 0;
    const fetch = async () => {
      calls++;
      throw new RangeError("broken");
    };
    const error = await failure(client({ fetch }).send("t", {}));
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.cause.message, "broken");
    assert.equal(calls, 1);
  });
});

describe("ends when its signal says so", limit, () => {
  const hang = () => {};

  test("while the server is silent", async () => {
    answers = [hang];
    const reason = new Error("enough");
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    assert.equal(await failure(client().send("t", {}, { signal: controller.signal })), reason);
    assert.equal(requests.length, 1);
  });

  test("within an answer", async () => {
    answers = [
      (response) => {
        response.writeHead(200, { "Content-Length": 100 });
        response.write("{");
      },
    ];
    const error = await failure(client().manifest("t", { signal: AbortSignal.timeout(50) }));
    assert.equal(error.name, "TimeoutError");
  });

  test("while it waits for the next try, at once", async () => {
    answers = [unavailable("30")];
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort("enough"), 50);
    const it = client({ maxRetryDelay: 60_000 });
    assert.equal(await failure(it.send("t", {}, { signal: controller.signal })), "enough");
    assert.ok(performance.now() - started < 1000);
    assert.equal(requests.length, 1);
  });

  test("and a signal that is used for long gathers no listeners", async () => {
    const { signal } = new AbortController();
    let listening = 0;
    const [add, remove] = [signal.addEventListener, signal.removeEventListener];
    signal.addEventListener = (...given) => (listening++, add.apply(signal, given));
    signal.removeEventListener = (...given) => (listening--, remove.apply(signal, given));
    const fetch = async () => new Response("", { status: 503 });
    await failure(client({ fetch, maxRetryDelay: 1, retries: 20 }).send("t", {}, { signal }));
    assert.equal(listening, 0);
  });
});

test("the key is nowhere to be seen", limit, async () => {
  const it = client({ gates: { t: fakeGate() } });
  answers = [problem("unauthorized", 401)];
  const seen = [
    it,
    await failure(it.send("t", {})),
    await failure(
      client({
        fetch: async () => {
          throw new TypeError("no");
        },
        retries: 0,
      }).send("t", {}),
    ),
  ];
  for (const value of seen) {
    assert.doesNotMatch(inspect(value, { depth: 10, showHidden: true }), new RegExp(KEY));
    assert.doesNotMatch(JSON.stringify(value), new RegExp(KEY));
  }
});
