/**
 * What every part of the package throws. `index.d.ts` says what the classes mean.
 *
 * The names are getters, and not `constructor.name`, because minifiers change that one.
 */

/** Messages end up in logs, so they name only the first faults. */
const FAULTS_IN_MESSAGE = 5;

const line = ({ item, pointer, detail }) => `${item === undefined ? "" : `item ${item} `}${pointer}: ${detail}`;

/** A message, and below it the first of its faults. */
export function withFaults(subject, detail, faults) {
  if (faults.length === 1) return `${subject}: ${line(faults[0])}`;
  const lines = faults.slice(0, FAULTS_IN_MESSAGE).map((fault) => `\n  ${line(fault)}`);
  if (faults.length > FAULTS_IN_MESSAGE) lines.push(`\n  … and ${faults.length - FAULTS_IN_MESSAGE} more`);
  return `${subject}: ${detail}${lines.join("")}`;
}

export class TidegateError extends Error {
  get name() {
    return "TidegateError";
  }
}

export class SchemaError extends TidegateError {
  get name() {
    return "SchemaError";
  }

  constructor(problems) {
    super(withFaults("the schema cannot be used", `${problems.length} problems`, problems));
    this.problems = problems;
  }
}

export class UnreadableError extends TidegateError {
  get name() {
    return "UnreadableError";
  }

  constructor(message, { code, line, column, offset, pointer }) {
    super(message);
    this.code = code;
    // A text that is too large has no place where it is.
    if (line !== undefined) Object.assign(this, { line, column, offset, pointer });
  }
}

export class NotInitializedError extends TidegateError {
  get name() {
    return "NotInitializedError";
  }
}

export class CrashError extends TidegateError {
  get name() {
    return "CrashError";
  }
}
