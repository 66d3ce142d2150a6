// What a user would write instead of the server: Fastify, Ajv and better-sqlite3. `node server.mjs CONFIG`,
// with the path of a JSON file: where the database is, the key, and the schemas by the tables' names.
//
// It does what ingesting asks for, as well as these libraries can: the key before the body, the checks, the
// comparison, and all that a request writes in one transaction that is on the disk before the answer goes out.

import { createHash, hash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import Database from "better-sqlite3";
import Fastify from "fastify";
import { stringify } from "safe-stable-stringify";
import { closings, reader } from "./peer.mjs";

const MEBIBYTE = 1024 * 1024;

// The faster one is new in Node.js 20.12.
const sha256 = hash ? (text) => hash("sha256", text) : (text) => createHash("sha256").update(text).digest("hex");

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));

const db = new Database(config.database);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.pragma("cache_size = -16384");
db.pragma("temp_store = MEMORY");
db.exec(`
  CREATE TABLE IF NOT EXISTS keys (
    hash TEXT PRIMARY KEY, integration INTEGER NOT NULL, revoked_at INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS scopes (
    scope INTEGER PRIMARY KEY, integration INTEGER NOT NULL, resource_name TEXT NOT NULL,
    group_key TEXT NOT NULL, revision INTEGER NOT NULL, UNIQUE (integration, resource_name, group_key)
  );
  CREATE TABLE IF NOT EXISTS commits (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, recorded_at INTEGER NOT NULL, event TEXT, actor TEXT
  );
  CREATE TABLE IF NOT EXISTS changes (
    seq INTEGER PRIMARY KEY, commit_seq INTEGER NOT NULL, scope INTEGER NOT NULL, resource_id TEXT NOT NULL,
    type TEXT NOT NULL, digest TEXT, fields TEXT NOT NULL, payload TEXT
  );
  CREATE INDEX IF NOT EXISTS changes_by_resource ON changes (scope, resource_id, seq);
  CREATE TABLE IF NOT EXISTS resources (
    scope INTEGER NOT NULL, resource_id TEXT NOT NULL, digest TEXT NOT NULL, change_seq INTEGER NOT NULL,
    PRIMARY KEY (scope, resource_id)
  ) WITHOUT ROWID;
`);
db.prepare("INSERT OR IGNORE INTO keys (hash, integration) VALUES (?, 1)").run(sha256(config.key));

const sql = {
  key: db.prepare("SELECT integration FROM keys WHERE hash = ? AND revoked_at IS NULL").pluck(),
  scope: db
    .prepare("SELECT scope FROM scopes WHERE integration = ? AND resource_name = ? AND group_key = ?")
    .pluck(),
  addScope: db.prepare(
    "INSERT INTO scopes (integration, resource_name, group_key, revision) VALUES (?, ?, ?, 0)",
  ),
  moveScope: db.prepare("UPDATE scopes SET revision = revision + 1 WHERE scope = ?"),
  current: db.prepare("SELECT digest, change_seq AS change FROM resources WHERE scope = ? AND resource_id = ?"),
  all: db.prepare("SELECT resource_id, digest, change_seq FROM resources WHERE scope = ?").raw(),
  payload: db.prepare("SELECT payload FROM changes WHERE seq = ?").pluck(),
  commit: db.prepare("INSERT INTO commits (id, recorded_at, event, actor) VALUES (?, ?, ?, ?)"),
  change: db.prepare(
    "INSERT INTO changes (commit_seq, scope, resource_id, type, digest, fields, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
  ),
  keep: db.prepare(
    `INSERT INTO resources (scope, resource_id, digest, change_seq) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET digest = excluded.digest, change_seq = excluded.change_seq`,
  ),
  remove: db.prepare("DELETE FROM resources WHERE scope = ? AND resource_id = ?"),
};

const ajv = new Ajv2020({ strict: false, logger: false });
addFormats(ajv);
const tables = new Map(
  Object.entries(config.tables).map(([name, schema]) => {
    // `additionalProperties` says the same where a schema is plain, and is faster.
    const validate = ajv.compile({ ...schema, [closings(schema).at(-1)]: false });
    return [name, { name: `_bench_${name}`, validate, idOf: reader(schema.resmo.id) }];
  }),
);

const event = db.transaction(({ integration, table, query }, { id, digest, payload }) => {
  const { scope, known } = scopeOf(integration, table.name, query.groupKey);
  const current = known ? sql.current.get(scope, id) : undefined;
  if (current?.digest === digest) {
    return { result: "unchanged", changeId: null, fields: [] };
  }
  const type = current ? "modified" : "added";
  const fields = current ? differing(JSON.parse(sql.payload.get(current.change)), payload) : [];
  const commit = begin(scope, query);
  write(commit.seq, scope, { type, id, digest, fields, payload });
  return { result: type, changeId: `${commit.id}-0`, fields };
});

const bulk = db.transaction(({ integration, table, query }, items) => {
  const { scope, known } = scopeOf(integration, table.name, query.groupKey);
  const missing = new Map();
  if (known) {
    for (const [id, digest, change] of sql.all.iterate(scope)) {
      missing.set(id, { digest, change });
    }
  }
  const changes = [];
  const counts = { added: 0, modified: 0, removed: 0, unchanged: 0 };
  for (const item of items) {
    const before = missing.get(item.id);
    missing.delete(item.id);
    if (before?.digest === item.digest) {
      counts.unchanged += 1;
    } else {
      changes.push({ ...item, type: before ? "modified" : "added", before });
    }
  }
  for (const id of missing.keys()) {
    changes.push({ id, type: "removed" });
  }
  if (changes.length > 0) {
    const commit = begin(scope, query);
    for (const { before, ...change } of changes) {
      counts[change.type] += 1;
      const fields = before ? differing(JSON.parse(sql.payload.get(before.change)), change.payload) : [];
      write(commit.seq, scope, { ...change, fields });
    }
  }
  return counts;
});

function scopeOf(integration, resourceName, groupKey) {
  const scope = sql.scope.get(integration, resourceName, groupKey);
  return scope === undefined
    ? { scope: sql.addScope.run(integration, resourceName, groupKey).lastInsertRowid, known: false }
    : { scope, known: true };
}

function begin(scope, { event = null, actor = null }) {
  const id = randomUUID();
  sql.moveScope.run(scope);
  return { id, seq: sql.commit.run(id, Date.now(), event, actor).lastInsertRowid };
}

function write(commit, scope, { type, id, digest = null, fields, payload }) {
  const text = payload === undefined ? null : JSON.stringify(payload);
  const change = sql.change.run(commit, scope, id, type, digest, JSON.stringify(fields), text).lastInsertRowid;
  if (type === "removed") {
    sql.remove.run(scope, id);
  } else {
    sql.keep.run(scope, id, digest, change);
  }
}

// The paths of the leaves that differ.
function differing(before, after, path = "") {
  if (Object.is(before, after)) {
    return [];
  }
  const [one, other] = [before, after].map((value) => (typeof value === "object" && value !== null ? value : undefined));
  if (!one || !other || Array.isArray(one) !== Array.isArray(other)) {
    return [path];
  }
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].sort().flatMap((name) => {
    const step = Array.isArray(one) ? `[${name}]` : path === "" ? name : `.${name}`;
    return differing(one[name], other[name], path + step);
  });
}

// A resource as it is compared and stored; throws what Fastify answers with.
function checked({ validate, idOf }, payload) {
  if (!validate(payload)) {
    throw refusal(422, "payload-invalid", validate.errors);
  }
  const id = idOf(payload);
  if (typeof id !== "string" || id === "" || id.length > 1000) {
    throw refusal(422, "missing-id");
  }
  return { id, digest: sha256(stringify(payload)), payload };
}

function refusal(statusCode, code, errors) {
  return Object.assign(new Error(code), { statusCode, code, errors });
}

const app = Fastify({ bodyLimit: MEBIBYTE });

const text = (maxLength) => ({ type: "string", maxLength });
const querystring = {
  type: "object",
  properties: { groupKey: { ...text(100), default: "" }, event: text(100), actor: text(1000) },
};
const count = { type: "integer" };
const answers = {
  event: {
    type: "object",
    properties: {
      result: text(), id: text(), table: text(), groupKey: text(), digest: text(),
      changeId: { type: ["string", "null"] }, fields: { type: "array", items: text() },
    },
  },
  bulk: {
    type: "object",
    properties: {
      result: text(), table: text(), groupKey: text(), added: count, modified: count, removed: count, unchanged: count,
    },
  },
};

// Before the body is read.
app.decorateRequest("integration", null);
app.decorateRequest("table", null);
app.addHook("onRequest", async (request) => {
  const key = request.headers["x-ingest-key"];
  request.integration = typeof key === "string" ? sql.key.get(sha256(key)) : undefined;
  if (request.integration === undefined) {
    throw refusal(401, "unauthorized");
  }
  request.table = tables.get(request.params.table);
  if (!request.table) {
    throw refusal(404, "unknown-table");
  }
});

app.post(
  "/integration/custom-data/event/:table",
  { schema: { querystring, response: { "2xx": answers.event } } },
  async (request, reply) => {
    const { table, query } = request;
    const item = checked(table, request.body);
    const done = event.immediate(request, item);
    reply.code(done.result === "added" ? 201 : 200);
    return { ...done, id: item.id, table: table.name, groupKey: query.groupKey, digest: item.digest };
  },
);

app.post(
  "/integration/custom-data/bulk-event/:table",
  { bodyLimit: 4 * MEBIBYTE, schema: { querystring, response: { "2xx": answers.bulk } } },
  async (request) => {
    const { table, query, body } = request;
    if (!Array.isArray(body)) {
      throw refusal(422, "payload-invalid");
    }
    const items = body.map((payload) => checked(table, payload));
    if (new Set(items.map((item) => item.id)).size !== items.length) {
      throw refusal(422, "duplicate-id");
    }
    return { result: "applied", table: table.name, groupKey: query.groupKey, ...bulk.immediate(request, items) };
  },
);

process.once("SIGTERM", async () => {
  await app.close();
  db.close();
});

await app.listen({ host: "127.0.0.1", port: 0 });
console.log(app.server.address().port);
