// What went wrong with a request, in words.

import { ConnectionError, ProblemError } from "tidegate/client";
import { element } from "./dom.js";
import { showFaults } from "./faults.js";
import { SettingsError } from "./settings.js";

const WORDS = {
  unauthorized: "The server does not take this ingest key. It may be mistyped, or revoked.",
  "integration-disabled": "The integration that this key belongs to is disabled.",
  "unknown-table": "The group that this key belongs to has no such table.",
  "table-retired": "This table was deleted on the server.",
  "removal-guard":
    "More would be removed by now than the preview showed, so nothing was changed. Preview it again, and look.",
  conflict: "Others were writing to the same scope. Nothing was changed; send it again.",
  "storage-unavailable": "The server cannot reach its database. Try again in a moment.",
  "too-large": "This is more than the server takes at once.",
};

/** Shows a failed request. `base` is where the Tidegate should be. */
export async function showProblem(node, error, { url: base }) {
  const { words, more = [], faults = [] } = await described(error, base);
  const list = element("ul", { className: "faults" });
  showFaults(list, faults);
  node.replaceChildren(
    element(
      "div",
      { className: "notice bad" },
      element("p", {}, words),
      ...more.filter(Boolean).map((text) => element("p", { className: "note" }, text)),
      list,
    ),
  );
}

async function described(error, base) {
  if (error instanceof SettingsError) return { words: error.message };
  if (error instanceof ProblemError) {
    const { code, status, origin, detail, errors, requestId } = error;
    if (origin === "gate") return { words: "It was not sent, as it does not pass.", more: [detail], faults: errors };
    const differs = errors.length > 0;
    return {
      words: differs
        ? "It passes here, but not on the server: the schema there is another one."
        : (WORDS[code] ?? "The server refuses it."),
      more: [`${status} ${code}: ${detail}`, requestId && `Request ${requestId} in the server's log.`],
      faults: errors,
    };
  }
  if (error instanceof ConnectionError) {
    const words = error.status === null ? await unanswered(base) : "What answers there is no Tidegate.";
    return { words, more: [error.message] };
  }
  // The rest are the package's own: what it was called with, or a gate that failed.
  return { words: "This could not be done.", more: [error.message] };
}

/** Why there was no answer. A browser does not tell a page, so the page tries what else it can. */
async function unanswered(base) {
  const health = `${base.replace(/\/+$/, "")}/healthz`;
  const listening = new AbortController();
  const policy = new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", () => resolve("policy"), { signal: listening.signal });
  });
  const asked = async (mode) => {
    try {
      await fetch(health, { mode, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(5_000) });
      return "answered";
    } catch {
      return "silent";
    }
  };
  if ((await asked("cors")) === "answered") {
    return (
      "The connection was lost before the answer came. Whether it took effect is not known; sending the same " +
      "again does no harm."
    );
  }
  // This may be answered although the page may not read what.
  const answer = asked("no-cors").then(async (result) => {
    // The event about the policy comes after the failure.
    if (result === "silent") await new Promise((resolve) => setTimeout(resolve, 50));
    return result;
  });
  const why = await Promise.race([policy, answer]);
  listening.abort();
  switch (why) {
    case "policy":
      return "This page's own Content-Security-Policy does not let it send there: name the server in connect-src.";
    case "answered":
      return (
        `Something answers there, but lets no page of ${location.origin} read its answers. ` +
        `Start that Tidegate with --allow-origin ${location.origin}`
      );
    default:
      return "The server cannot be reached. It is not running there, or something on the way keeps it from answering.";
  }
}
