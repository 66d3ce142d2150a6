// What every entry with a gate offers. The files below have more, for each other.

export { CrashError, NotInitializedError, SchemaError, TidegateError, UnreadableError } from "./errors.js";
export { Gate, diff, digest, prepare } from "./gate.js";
