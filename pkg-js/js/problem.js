/** What the server would answer to what the gate rejects, as `core/src/problem.rs` has it. */
const REJECTIONS = {
  "malformed-json": [400, "Malformed JSON"],
  "duplicate-member": [400, "Duplicate member name"],
  "too-large": [413, "Too large"],
  "payload-invalid": [422, "Payload invalid"],
  "missing-id": [422, "Missing id"],
  "duplicate-id": [422, "Duplicate id"],
};

/** The problem document (RFC 9457) that the server would have answered. */
export function problemOf({ code, detail, violations, ...rest }) {
  const [status, title] = REJECTIONS[code] ?? [422, code];
  const problem = { type: `urn:tidegate:problem:${code}`, code, title, status, detail };
  if (violations.length) problem.errors = violations;
  for (const name of ["truncated", "line", "column", "offset", "pointer", "limit", "item"]) {
    if (rest[name] !== undefined) problem[name] = rest[name];
  }
  return problem;
}
