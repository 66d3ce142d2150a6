// Uses the page as its users do: `node test.mjs PACKAGE_DIR CHROMIUM [TIDEGATE]`.
//
// With the path of a `tidegate` it talks to that one, else to a small one that is written below. Where
// SCREENSHOTS names a folder, pictures of the page are put there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { serve } from "./serve.mjs";

const [packageDir, executablePath, binary] = process.argv.slice(2);
const pictures = process.env.SCREENSHOTS;
const { chromium } = createRequire(new URL("../../pkg-js/package.json", import.meta.url))("playwright-core");
const { prepare, digest, diff } = await import(pathToFileURL(resolve(packageDir, "dist/node.js")));

const data = (name) => readFile(new URL(`../data/${name}`, import.meta.url), "utf8");
const schema = await data("employee.schema.json");
const employees = JSON.parse(await data("employees.json"));
const limit = { timeout: 90_000 };
const portOf = (server) => server.address().port;

let folder, server, tidegate, browser, context, page, group;
/** What the page complained about, which no test expects. */
let complaints;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidegate-page-"));
  server = await serve(0, resolve(packageDir));
  const origin = `http://127.0.0.1:${portOf(server)}`;
  tidegate = await (binary ? real(origin) : fake(origin));
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
});

after(async () => {
  await browser?.close();
  await tidegate?.stop();
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
  page = await context.newPage();
  complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // Of a request that fails, the browser tells the console itself.
    if (message.type() === "error" && !/Failed to load resource|CORS policy/.test(message.text())) {
      complaints.push(message.text());
    }
  });
  await page.goto(`http://127.0.0.1:${portOf(server)}/`);
  await says("#schema-verdict", /^Ready: 9 fields/);
  // A scope for each test.
  group = `test-${randomBytes(4).toString("hex")}`;
  await page.fill("#url", tidegate.url);
  await page.fill("#key", tidegate.key);
  await page.fill("#group-key", group);
});

afterEach(async () => {
  await context.close();
  assert.deepEqual(complaints, []);
});

/** Waits until an element has such a text. */
async function says(selector, pattern) {
  const place = page.locator(selector);
  try {
    await page.waitForFunction(
      ([selector, source]) => new RegExp(source, "s").test(document.querySelector(selector).textContent),
      [selector, pattern.source],
      { timeout: 20_000 },
    );
  } catch {
    assert.match(await place.textContent(), pattern);
  }
  return place.textContent();
}

const field = (name) => page.getByLabel(new RegExp(`^${name} `));
/** What stands beside a field, found as a screen reader finds it. */
const faultOf = async (name) => {
  const id = await field(name).getAttribute("aria-describedby");
  return page.locator(`#${id}`).textContent();
};
const linesOf = async (list) => {
  const lines = await page.locator(`${list} li`).allInnerTexts();
  return lines.map((line) => line.replace(/\s+/g, " "));
};
const choose = (name, text) => {
  return page.setInputFiles("#file", { name, mimeType: "application/json", buffer: Buffer.from(text) });
};
const shoot = async (name) => {
  if (!pictures) return;
  for (const [size, width] of [["desktop", 1100], ["phone", 375]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: join(pictures, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1100, height: 900 });
};

describe("the form", limit, () => {
  test("checks as one types, and puts each fault beside its field", async () => {
    await says("#verdict", /^Nothing is filled in yet/);
    assert.equal(await field("employeeId").getAttribute("aria-invalid"), null);

    await field("salary").pressSequentially("12x");
    await field("employee.email").fill("ada at example");
    await says("#verdict", /^It does not pass: 3 faults$/);
    assert.equal(await faultOf("salary"), "expected number, found string");
    assert.equal(await faultOf("employee.email"), "expected the format `email`");
    assert.equal(await faultOf("employeeId"), "missing field `employeeId`");
    assert.equal(await field("salary").getAttribute("aria-invalid"), "true");
    await shoot("form-faults");

    await field("salary").press("End");
    await field("salary").press("Backspace");
    await field("employee.email").fill("ada@example.com");
    await field("employee.username").fill("ada");
    await field("createdAt").fill("2021-11-20");
    await field("active").selectOption("true");
    await says("#verdict", /^It does not pass: 1 fault$/);
    assert.equal(await faultOf("salary"), "");

    await field("employeeId").fill("18129");
    await says("#verdict", /^It passes/);
    const text = await page.locator("#json").textContent();
    assert.equal(JSON.parse(text).active, true);
    assert.match(await page.locator("#accepted").innerText(), /id\s+18129\s+name\s+ada\s/);
    assert.ok((await page.locator("#accepted").innerText()).includes(digest(text)));
    assert.deepEqual(await page.locator("[aria-invalid='true']").all(), []);

    await field("salary").fill("9007199254740993");
    await says("#json", /"salary": 9007199254740993/);
    await shoot("form-passes");
  });

  test("sends what passes, by the keyboard alone", async () => {
    await field("employeeId").focus();
    await page.keyboard.press("Enter");
    // Nothing was sent; the faulty field has the focus.
    assert.equal(await page.evaluate(() => document.activeElement.labels[0].textContent), "employeeId text, required");
    await page.keyboard.type("7");
    await page.check("#dry-run");
    await field("employeeId").press("Enter");
    await says("#sent", /^Dry run, nothing was written \(_directory_employee, id 7\)/);
    await page.uncheck("#dry-run");
    await page.fill("#event", "hired");
    await page.click("#send");
    await says("#sent", /^The server says: added \(_directory_employee, id 7\)/);
    await page.click("#send");
    await says("#sent", /^The server says: unchanged/);
    await field("department").fill("Engineering");
    await page.click("#send");
    await says("#sent", /^The server says: modified .* what differs: department/);
    await page.click("#reset");
    await says("#verdict", /^Nothing is filled in yet/);
  });

  test("says in words why nothing could be sent", async () => {
    await field("employeeId").fill("7");
    const refused = async (pattern) => {
      await page.click("#send");
      await says("#sent", pattern);
      assert.equal(await page.locator("#send").isEnabled(), true);
    };
    await page.fill("#key", "");
    await refused(/^The ingest key is missing/);
    await page.fill("#key", "tgk_nobody");
    await refused(/^The server does not take this ingest key.*401 unauthorized/);
    await shoot("unauthorized");
    await page.fill("#key", tidegate.key);

    await page.fill("#table", "nothing");
    await refused(/no such table.*404 unknown-table/);
    await page.fill("#table", "employee");

    await page.fill("#url", "127.0.0.1:7070");
    await refused(/^The server's address is missing, or is none/);
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address();
    closed.close();
    await page.fill("#url", `http://127.0.0.1:${port}`);
    await refused(/^The server cannot be reached/);

    // It answers, and does not know of this page.
    const other = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
    await once(other, "listening");
    await page.fill("#url", `http://127.0.0.1:${portOf(other)}`);
    await refused(/lets no page of .* --allow-origin http:\/\/127\.0\.0\.1:\d+/);
    other.closeAllConnections();
    other.close();

    await page.fill("#url", "https://tidegate.example");
    await refused(/^This page's own Content-Security-Policy/);
    complaints = complaints.filter((text) => !/tidegate\.example/.test(text));

    await page.fill("#url", tidegate.url);
    await answering("event", 503, { code: "storage-unavailable", detail: "the database is locked" });
    await refused(/^The server cannot reach its database.*503 storage-unavailable: the database is locked/);
    const errors = [{ pointer: "#", code: "missing-field", detail: "missing field `salary`" }];
    await answering("event", 422, { code: "payload-invalid", detail: "1 fault", errors });
    await refused(/^It passes here, but not on the server/);
    assert.equal(await faultOf("salary"), "missing field `salary`");
    await page.unroute("**/custom-data/event/**");
    await refused(/^The server says: added/);
  });
});

/** Has the next requests answered by a problem. */
async function answering(route, status, problem) {
  const json = { type: `urn:tidegate:problem:${problem.code}`, title: problem.code, status, ...problem };
  const headers = { "Access-Control-Allow-Origin": "*" };
  await page.unroute(`**/custom-data/${route}/**`);
  await page.route(`**/custom-data/${route}/**`, (request) => request.fulfill({ status, json, headers }));
}

describe("a snapshot from a file", limit, () => {
  test("is checked, previewed and sent", async () => {
    await choose("faulty.json", await data("employees-faulty.json"));
    await says("#bulk-verdict", /^faulty.json does not pass: 4 faults/);
    assert.deepEqual(await linesOf("#bulk-faults"), [
      "item 0 #/employee/email expected the format `email`",
      "item 0 #/salry unknown field; did you mean `salary`?",
      "item 1 # missing field `employeeId`",
      "item 1 #/salary expected number, found string",
    ]);
    assert.equal(await page.locator("#preview").isEnabled(), false);
    await shoot("bulk-faults");

    await drop("employees.json", JSON.stringify(employees));
    await says("#bulk-verdict", /^employees.json: 3 resources, all pass/);
    assert.equal(await page.locator("#send-bulk").isEnabled(), false);
    await preview(/added3modified0removed0unchanged0/);
    assert.equal(await page.locator("#warning").textContent(), "");
    await page.click("#send-bulk");
    await says("#bulk-sent", /^employees.json: the server says applied. 3 added, 0 modified, 0 removed, 0 unchanged/);
    assert.equal(await page.locator("#send-bulk").isEnabled(), false);

    const next = JSON.parse(await data("employees-next.json"));
    await choose("next.ndjson", next.map((each) => `${JSON.stringify(each)}\n`).join(""));
    await says("#bulk-verdict", /^next.ndjson: 3 resources/);
    await preview(/added1modified2removed1unchanged0/);
    await says("#warning", /^Sending this removes 1 of 3 stored resources/);
    assert.deepEqual(await linesOf("#changes"), ["removed 3", "modified 1", "modified 2", "added 4"]);
    assert.equal(await page.locator("#send-bulk").textContent(), "Send snapshot and remove 1");
    await shoot("bulk-removal");

    // The preview is one of these settings.
    await page.fill("#group-key", `${group}-other`);
    assert.equal(await page.locator("#send-bulk").isEnabled(), false);
    await says("#send-note", /^The settings have changed/);
    await page.fill("#group-key", group);
    // Also if they change before it is there.
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route("**/custom-data/manifest/**", (route) => held.then(() => route.continue()));
    await page.click("#preview");
    await page.fill("#group-key", `${group}-other`);
    release();
    await says("#send-note", /^The settings have changed/);
    assert.equal(await page.locator("#send-bulk").isEnabled(), false);
    await page.unroute("**/custom-data/manifest/**");
    await page.fill("#group-key", group);
    await preview(/added1modified2removed1unchanged0/);
    await page.click("#send-bulk");
    await says("#bulk-sent", /1 added, 2 modified, 1 removed, 0 unchanged/);
    await preview(/added0modified0removed0unchanged3/);
  });

  test("removes no more than the preview has shown", async () => {
    await choose("employees.json", JSON.stringify(employees));
    await preview(/added3modified0removed0unchanged0/);
    // Somebody else is quicker.
    await send([...employees, { employeeId: "8" }]);
    await page.click("#send-bulk");
    await says("#bulk-sent", /^More would be removed by now than the preview showed.*409 removal-guard/);
    assert.equal(await page.locator("#send-bulk").isEnabled(), false);
    await preview(/added0modified0removed1unchanged3/);

    await answering("bulk-event", 409, { code: "conflict", detail: "others were writing" });
    await page.click("#send-bulk");
    await says("#bulk-sent", /^Others were writing to the same scope.*409 conflict/);
    await page.unroute("**/custom-data/bulk-event/**");
    await page.click("#send-bulk");
    await says("#bulk-sent", /0 added, 0 modified, 1 removed, 3 unchanged/);

    await choose("nobody.json", "[]");
    await preview(/added0modified0removed3unchanged0/);
    await says("#warning", /removes everything that is stored, 3 resources/);
    await choose("empty.ndjson", "");
    await page.click("#preview");
    await says("#bulk-sent", /^This could not be done.*text of the bulk is empty/);
    await page.fill("#key", "tgk_nobody");
    await choose("employees.json", JSON.stringify(employees));
    await page.click("#preview");
    await says("#bulk-sent", /^The server does not take this ingest key/);
    assert.equal(await page.locator("#send-bulk").isEnabled(), false);
  });

  test("is checked in a worker when it is large, until it is cancelled", async () => {
    const huge = await written("huge.ndjson", 1_500_000, (index) => `{"employeeId":"${index}","manager":"${index}"}`);
    await page.setInputFiles("#file", huge);
    await says("#progress-text", /^\d+ %, [\d,]{4,} resources/);
    await shoot("progress");
    await page.click("#cancel");
    await says("#bulk-verdict", /^The check of huge.ndjson was cancelled/);
    assert.equal(await page.locator("#running").isVisible(), false);

    const faulty = await written("faulty.ndjson", 60_000, (index) => {
      return index % 100 === 0 ? `{"employeeId":${index}}` : `{"employeeId":"${index}"}`;
    });
    await page.setInputFiles("#file", faulty);
    await says("#bulk-verdict", /^faulty.ndjson does not pass: 600 faults, in 600 of 60,000 resources/);
    const lines = await linesOf("#bulk-faults");
    assert.equal(lines.length, 201);
    assert.equal(lines[1], "item 100 #/employeeId expected string, found number");
    assert.equal(lines.at(-1), "and 400 more");

    const long = await written("long.ndjson", 100_000, (index) => {
      return JSON.stringify({ employeeId: `${index}`, department: "Engineering, and something more" });
    });
    await page.setInputFiles("#file", long);
    await says("#bulk-verdict", /^long.ndjson: 100,000 resources, all pass. It is too long for one bulk/);
    await preview(/added100,000modified0/);
    assert.equal(await page.locator("#send-bulk").isEnabled(), false);

    const fitting = await written("fitting.ndjson", 40_000, (index) => `{"employeeId":"${index}"}`);
    await page.setInputFiles("#file", fitting);
    await says("#bulk-verdict", /^fitting.ndjson: 40,000 resources, all pass.$/);
    await preview(/added40,000modified0/);
    assert.equal((await linesOf("#changes")).at(-1), "and 39,800 more");
    await page.click("#send-bulk");
    await says("#bulk-sent", /40000 added/);
  });
});

describe("hostile input leaves the page working", limit, () => {
  test("schemas", async () => {
    await field("employeeId").fill("7");
    await page.click("summary");
    const refused = async (text, pattern) => {
      await page.fill("#schema", text);
      await says("#schema-problems", pattern);
      await says("#schema-verdict", /^This schema cannot be used/);
      await says("#verdict", /^The schema cannot be used/);
      assert.equal(await field("employeeId").isEnabled(), false);
    };
    await refused("{", /^#unexpected end of the text at line 1, column 2/);
    await refused("", /column 1/);
    await refused(`{"a":`.repeat(40_000), /nested more than 64 levels deep/);
    await refused(" ".repeat(300_000), /256 KiB|262,144|bytes/);
    await refused(schema.replace('"type": "number"', '"type": "numbers"'), /#\/properties\/salary\/type/);
    await refused(schema.replace('"minimum": 0', '"$ref": "https://example.com/x"'), /#\/properties\/salary\/\$ref/);
    await refused(schema.replace('"minimum": 0', '"pattern": "(a+)+\\\\1"'), /#\/properties\/salary\/pattern/);
    await shoot("schema-refused");

    // Fields of every kind, one within another without end, and names that are no names.
    const odd = JSON.parse(schema);
    const tree = { $ref: "#/$defs/tree" };
    odd.$defs = { tree: { type: "object", properties: { left: tree, right: tree } } };
    odd.title = "<b>\u202e";
    Object.assign(odd.properties, {
      tree,
      "<img src=x onerror=alert(1)>": { enum: ["<b>", 1, null] },
      "a/b~c%d": { type: "integer", maximum: 3 },
      anything: true,
    });
    await page.fill("#schema", JSON.stringify(odd));
    await says("#schema-verdict", /^Ready/);
    assert.equal(await field("employeeId").inputValue(), "7");
    await field("a/b~c%d").fill("4");
    await says("#verdict", /1 fault$/);
    assert.match(await faultOf("a/b~c%d"), /3/);
    await field("a/b~c%d").fill("2");

    await field("anything").fill("[1, ");
    await says("#verdict", /1 fault$/);
    assert.equal(await faultOf("anything"), "this is no JSON");
    await field("anything").fill(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
    await says("#verdict", /1 fault$/);
    await field("anything").fill('{"a": "\\ud800"}');
    await says("#verdict", /1 fault$/);
    assert.match(await faultOf("anything"), /surrogate/);
    await field("anything").fill('{"a": [true, null]}');
    await says("#verdict", /^It passes/);
    await shoot("odd-schema");

    await page.fill("#schema", schema);
    await says("#schema-verdict", /^Ready: 9 fields/);
    await says("#verdict", /^It passes/);
  });

  test("payloads", async () => {
    await field("employeeId").evaluate((input) => {
      input.value = "\ud800";
      input.dispatchEvent(new Event("input"));
    });
    await says("#verdict", /1 fault$/);
    assert.match(await faultOf("employeeId"), /surrogate/);
    await page.click("#send");
    assert.equal(await page.locator("#sent").textContent(), "");

    for (const [name, text, pattern] of [
      ["deep.json", `[{"employeeId": ${"[".repeat(200_000)}`, /does not pass|could not be checked/],
      ["no.json", "hello", /does not pass/],
      ["cut.json", '[{"employeeId": "1"}', /does not pass/],
      ["twice.json", '[{"employeeId": "1"}, {"employeeId": "1"}]', /does not pass/],
      ["member.json", '[{"employeeId": "1", "employeeId": "2"}]', /does not pass/],
      ["one.json", '{"employeeId": "1"}', /1 resource, all pass/],
      ["zeros.bin", "\0".repeat(2_000_000), /does not pass/],
      ["brackets.json", "[".repeat(2_000_000), /does not pass|could not be checked/],
    ]) {
      await choose(name, text);
      await says("#bulk-verdict", new RegExp(`^${name}.*(${pattern.source})`));
    }

    const id = "<img src=x onerror=document.title=1>\u202e".repeat(20);
    await choose("markup.json", JSON.stringify([{ employeeId: id }]));
    await preview(/added1/);
    assert.deepEqual(await page.locator("#changes code").allTextContents(), [id]);
    assert.equal(await page.locator("img").count(), 0);
    await shoot("markup");
    await choose("employees.json", JSON.stringify(employees));
    await says("#bulk-verdict", /3 resources, all pass/);
  });
});

test("it can be read on a phone, and each control has a label", limit, async () => {
  await page.setViewportSize({ width: 320, height: 600 });
  await page.click("summary");
  const { wide, unnamed } = await page.evaluate(() => {
    const controls = [...document.querySelectorAll("input, select, textarea")];
    return {
      wide: document.documentElement.scrollWidth > innerWidth,
      unnamed: controls.filter(({ labels }) => labels.length === 0).map(({ id }) => id),
    };
  });
  assert.deepEqual({ wide, unnamed }, { wide: false, unnamed: [] });
  // The key is nowhere but in its field.
  const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
  assert.deepEqual(stored, [0, 0, ""]);
});

async function preview(pattern) {
  await page.click("#preview");
  await says("#counts", pattern);
}

/** Drops a file on the page, as from a file manager. */
async function drop(name, text) {
  const transfer = await page.evaluateHandle(
    ([name, text]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], name));
      return transfer;
    },
    [name, text],
  );
  await page.dispatchEvent("#drop", "dragover", { dataTransfer: transfer });
  await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });
}

async function written(name, count, line) {
  const path = join(folder, name);
  const file = createWriteStream(path);
  for (let index = 0; index < count; index += 10_000) {
    const some = Array.from({ length: Math.min(10_000, count - index) }, (_, at) => `${line(index + at)}\n`);
    if (!file.write(some.join(""))) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
  return path;
}

/** Sends a snapshot from elsewhere. */
async function send(items) {
  const response = await fetch(`${tidegate.url}/integration/custom-data/bulk-event/employee?groupKey=${group}`, {
    method: "POST",
    headers: { "X-Ingest-Key": tidegate.key, "Content-Type": "application/json" },
    body: JSON.stringify(items),
  });
  assert.equal(response.status, 200, await response.text());
}

/** A Tidegate with the worked example, and this page allowed. */
async function real(origin) {
  const database = `sqlite:${join(folder, "tidegate.db")}`;
  const options = { addr: "127.0.0.1:0", database, "allow-origin": origin, "log-level": "error" };
  const args = ["serve", "--demo", ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)];
  const env = { ...process.env, TIDEGATE_ADMIN_TOKEN: randomBytes(16).toString("hex") };
  const child = spawn(binary, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill();
    await ended;
  };
  let printed = "";
  for await (const piece of child.stdout.setEncoding("utf8")) {
    printed += piece;
    const [, url, key] = printed.match(/curl -i '(http:\/\/[\d.:]+)\/.*X-Ingest-Key: (\w+)'/) ?? [];
    if (key) return { url, key, stop };
  }
  throw new Error(`it ended early: ${printed}`);
}

/** What of a Tidegate the page uses, over the same gate and in memory. */
async function fake(origin) {
  const gate = prepare(schema);
  const key = "tgk_fake";
  const scopes = new Map();
  const problem = (status, code, more) => {
    return [status, { type: `urn:tidegate:problem:${code}`, code, title: code, status, detail: "refused", ...more }];
  };
  const facts = (scope) => ({ table: "_directory_employee", groupKey: scope });

  function answer(request, url, body) {
    const [, route, table] = url.pathname.match(/^\/integration\/custom-data\/([\w-]+)\/([\w-]+)$/) ?? [];
    if (request.headers["x-ingest-key"] !== key) return problem(401, "unauthorized");
    if (table !== "employee") return problem(404, "unknown-table");
    const scope = url.searchParams.get("groupKey") ?? "";
    const dryRun = url.searchParams.get("dryRun") === "true";
    const stored = scopes.get(scope) ?? new Map();
    const digests = () => Object.fromEntries([...stored].map(([id, text]) => [id, digest(text)]));
    if (route === "manifest") return [200, { items: digests() }];
    if (route === "event") {
      const { id, digest: version } = gate.check(body);
      const before = stored.get(id);
      const result = before === undefined ? "added" : digest(before) === version ? "unchanged" : "modified";
      if (!dryRun) scopes.set(scope, new Map(stored).set(id, body));
      const fields = result === "modified" ? diff(before, body) : [];
      const said = dryRun ? { result: "planned", dryRun } : { result };
      return [200, { ...said, id, ...facts(scope), digest: version, changeId: null, fields }];
    }
    const { added, modified, removed, unchanged } = gate.plan({ items: digests() }, body);
    const most = Number(url.searchParams.get("maxRemovals") ?? Infinity);
    if (removed > most) return problem(409, "removal-guard", { limit: most, removed });
    scopes.set(scope, new Map(JSON.parse(body).map((item) => [item.employeeId, JSON.stringify(item)])));
    return [200, { result: "applied", ...facts(scope), added, modified, removed, unchanged }];
  }

  const server = createServer(async (request, response) => {
    response.setHeader("Access-Control-Allow-Origin", origin);
    if (request.method === "OPTIONS") {
      response.setHeader("Access-Control-Allow-Methods", "GET, POST");
      response.setHeader("Access-Control-Allow-Headers", "Content-Type, X-Ingest-Key");
      return response.writeHead(204).end();
    }
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const url = new URL(request.url, "http://fake");
    const body = Buffer.concat(pieces).toString();
    const [status, value] = url.pathname === "/healthz" ? [200, {}] : answer(request, url, body);
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${portOf(server)}`, key, stop };
}
