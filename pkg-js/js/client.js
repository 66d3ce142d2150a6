/**
 * Sends resources to a Tidegate. `client.d.ts` says what there is.
 *
 * Nothing here loads the module: gates come in from outside, already prepared.
 */
import { textOf, viewOf } from "./bytes.js";
import { TidegateError, withFaults } from "./errors.js";
import { problemOf } from "./problem.js";

/** What the server itself says while it cannot work, and what a proxy says while it cannot reach it. */
const TRANSIENT = [429, 502, 503, 504];
/** The first wait for a next try, in milliseconds; each further one is twice as long. */
const FIRST_DELAY = 200;
/** `setTimeout` takes no more. */
const LONGEST_DELAY = 2 ** 31 - 1;

export class ProblemError extends TidegateError {
  get name() {
    return "ProblemError";
  }

  constructor(problem, origin = "server", requestId = null) {
    const { code, status, title, detail } = problem;
    const errors = Array.isArray(problem.errors) ? problem.errors : [];
    super(withFaults(code, detail, errors));
    Object.assign(this, { origin, code, status, title, detail, errors, requestId });
    // Not enumerable, or a log would have everything twice.
    Object.defineProperty(this, "problem", { value: problem });
  }
}

export class ConnectionError extends TidegateError {
  get name() {
    return "ConnectionError";
  }

  constructor(message, { status = null, ...options } = {}) {
    super(message, options);
    this.status = status;
  }
}

export class Client {
  // All private, so that neither a log nor `JSON.stringify` shows the key.
  #base;
  #key;
  #gates;
  #retries;
  #maxRetryDelay;
  #fetch;

  constructor({ url, key, gates = {}, retries = 3, maxRetryDelay = 30_000, fetch }) {
    const base = new URL(url, globalThis.location?.href);
    if (!/^https?:$/.test(base.protocol) || base.username || base.password) {
      throw new TypeError("`url` is an address with `http:` or `https:`, and without credentials");
    }
    // Checked here because `fetch` would quote a key that cannot stand in a header.
    const trimmed = typeof key === "string" ? key.trim() : "";
    if (!/^[!-~]+$/.test(trimmed)) {
      throw new TypeError("`key` is an ingest key: a text of visible ASCII characters");
    }
    this.#base = base.origin + base.pathname.replace(/\/+$/, "");
    this.#key = trimmed;
    this.#gates = gates;
    this.#retries = retries;
    this.#maxRetryDelay = maxRetryDelay;
    this.#fetch = fetch;
  }

  async send(table, payload, options = {}) {
    options.signal?.throwIfAborted();
    const body = bytesOf(payload);
    const checked = this.#gate(table)?.check(body);
    if (checked && !checked.valid) throw refusal(checked);
    return this.#request("POST", `event/${encodeURIComponent(table)}`, changing(options), options, body);
  }

  async sendBulk(table, items, options = {}) {
    options.signal?.throwIfAborted();
    let body = bytesOfItems(items);
    const gate = this.#gate(table);
    const checked = gate?.checkBulk(body);
    if (checked && !checked.valid) throw refusal(checked);
    if (!isArray(body)) {
      if (!gate) {
        throw new TypeError(
          `NDJSON takes a gate, and there is none for \`${table}\`: give one in \`gates\`, or send an array`,
        );
      }
      body = gate.bulkBody(body);
    }
    const { maxRemovals, details } = options;
    const query = [...changing(options), ["maxRemovals", maxRemovals], ["details", details]];
    return this.#request("POST", `bulk-event/${encodeURIComponent(table)}`, query, options, body);
  }

  async remove(table, ids, options = {}) {
    // Each character of a string would be an id, and `undefined` would be "undefined".
    if (!Array.isArray(ids) || !ids.every((id) => id && typeof id === "string")) {
      throw new TypeError("`ids` is an array of strings that are not empty");
    }
    const query = [...changing(options), ...ids.map((id) => ["resourceIds", id])];
    return this.#request("DELETE", encodeURIComponent(table), query, options);
  }

  async manifest(table, options = {}) {
    return this.#request("GET", `manifest/${encodeURIComponent(table)}`, [], options);
  }

  async preview(table, items, options = {}) {
    const gate = this.#gate(table);
    if (!gate) throw new TypeError(`there is no gate for \`${table}\` in \`gates\``);
    const bytes = bytesOfItems(items);
    const plan = gate.plan(await this.manifest(table, options), bytes);
    if (!plan.valid) throw refusal(plan);
    return plan;
  }

  #gate(table) {
    return Object.hasOwn(this.#gates, table) ? this.#gates[table] : undefined;
  }

  async #request(method, route, query, { groupKey, signal }, body) {
    const place = `${this.#base}/integration/custom-data/${route}`;
    const parameters = [["groupKey", groupKey], ...query]
      .filter(([, value]) => value != null)
      // A comma separates ids if it is bare; this leaves none bare.
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    const url = parameters.length ? `${place}?${parameters.join("&")}` : place;
    const headers = { "X-Ingest-Key": this.#key };
    if (body) headers["Content-Type"] = "application/json";
    // Not "error": that fails like a lost connection, and some runtimes do not have it.
    const request = { method, headers, body, signal, redirect: "manual" };
    // Ids do not belong into a browser's cache.
    if (method === "GET") request.cache = "no-store";

    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      let failure;
      let transient;
      let asked;
      try {
        const response = await (this.#fetch ?? globalThis.fetch)(url, request);
        const answer = read(method, place, response, await response.text());
        if (!(answer instanceof Error)) return answer;
        failure = answer;
        transient = TRANSIENT.includes(response.status);
        asked = retryAfter(response.headers.get("Retry-After"));
      } catch (cause) {
        signal?.throwIfAborted();
        // By name: a test runner's realm has another `TypeError`.
        transient = cause?.name === "TypeError";
        const why = cause?.cause?.code ?? cause?.message;
        failure = new ConnectionError(`${method} ${place} was not answered: ${why}`, { cause });
      }
      if (!transient || attempt >= this.#retries || asked > this.#maxRetryDelay) throw failure;
      const delay = FIRST_DELAY * 2 ** attempt;
      // Not all the clients of a server that was away come back in the same moment.
      const wait = asked === undefined ? delay * (0.5 + Math.random() / 2) : asked + Math.random() * FIRST_DELAY;
      await pause(Math.min(wait, this.#maxRetryDelay, LONGEST_DELAY), signal);
    }
  }
}

/** What the calls that change something have in common. */
const changing = ({ event, actor, dryRun }) => [
  ["event", event],
  ["actor", JSON.stringify(actor)],
  ["dryRun", dryRun],
];

/** The JSON text of a payload, as bytes of our own: each try sends what was checked. */
const bytesOf = (payload) => viewOf(payload)?.slice() ?? new TextEncoder().encode(textOf(payload));

/** Likewise of a bulk. What is taken for a short snapshot by mistake removes the rest, so it is refused. */
function bytesOfItems(items) {
  if (typeof items !== "string" && !Array.isArray(items) && !viewOf(items)) {
    throw new TypeError("a bulk is an array of values, or a text");
  }
  const bytes = bytesOf(items);
  if (firstOf(bytes) === undefined) {
    throw new TypeError("the text of the bulk is empty; what removes everything is an empty array, `[]`");
  }
  return bytes;
}

/** The first byte that is no white space. */
const firstOf = (bytes) => bytes.find((byte) => ![0x20, 0x0a, 0x0d, 0x09].includes(byte));
const isArray = (bytes) => firstOf(bytes) === 0x5b;

/** What the server would have refused. */
const refusal = (rejected) => new ProblemError(problemOf(rejected), "gate");

/** What a response says: the answer, or the error that it is. */
function read(method, place, response, text) {
  const { status, headers } = response;
  let value;
  let cause;
  try {
    value = JSON.parse(text);
  } catch (error) {
    cause = error;
  }
  if (typeof value === "object" && value) {
    if (response.ok) return value;
    // Other servers, such as a proxy on the way, have problem documents of their own.
    if (/^urn:tidegate:problem:/.test(value.type)) {
      return new ProblemError(value, "server", headers.get("X-Request-Id"));
    }
  }
  let what = response.ok ? "with something that is no JSON object" : "without a problem document";
  // Browsers tell nothing of a redirect but that it is one.
  if (response.type === "opaqueredirect" || (status >= 300 && status < 400)) {
    const to = headers.get("Location")?.split(/[?#]/)[0] ?? "another address";
    what = `with a redirect to ${to}; the key is not sent there, so give the client the right \`url\``;
  }
  return new ConnectionError(`${method} ${place} was answered ${status ? `${status} ` : ""}${what}`, {
    status: status || null,
    ...(response.ok && cause && { cause }),
  });
}

/** What `Retry-After` asks for, in milliseconds: seconds or a date (RFC 9110 §10.2.3). */
function retryAfter(value) {
  if (/^\d+$/.test(value)) return value * 1000;
  const date = /GMT$/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

const pause = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
