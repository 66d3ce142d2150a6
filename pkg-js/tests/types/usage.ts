// Uses everything that the types offer. It is compiled and never run.

import {
  type Accepted,
  type BulkItem,
  type BulkResult,
  type Change,
  type CheckOptions,
  type CheckResult,
  type CompareResult,
  CrashError,
  Gate,
  type Items,
  type JsonText,
  type JsonValue,
  type Manifest,
  NotInitializedError,
  type NotThere,
  type Payload,
  type Plan,
  type PlanResult,
  type Problem,
  type ProblemCode,
  type Rejected,
  type RejectionCode,
  SchemaError,
  TidegateError,
  UnreadableError,
  type Violation,
  type ViolationCode,
  type WasmSource,
  diff,
  digest,
  init,
  prepare,
} from "../../js/index.js";
import {
  type BulkAnswer,
  type BulkOptions,
  type ChangeOptions,
  Client,
  type ClientOptions,
  type Code,
  ConnectionError,
  type EventResult,
  ProblemError,
  type RemovalAnswer,
  type RequestOptions,
} from "../../js/client.js";
import {
  type FileOptions,
  type FilePassed,
  type FileRead,
  type FileResult,
  GateWorker,
  type Progress,
  type Source,
  type WorkerLike,
  type WorkerOptions,
} from "../../js/worker.js";

/** Takes a value of exactly that type. */
function is<T>(_value: T): void {}

/** An interface has no index signature, and passes as a payload all the same. */
interface Employee {
  readonly employeeId: string;
  readonly manager?: Employee;
}
declare const ada: Employee;
const bytes = new TextEncoder().encode("{}");

export async function theGate(): Promise<void> {
  await init();
  for (const source of [
    "tidegate.wasm",
    new URL("file:///tidegate.wasm"),
    bytes,
    new ArrayBuffer(2),
    new Request("https://tidegate.example"),
    new Response(),
    new WebAssembly.Module(bytes),
  ] satisfies WasmSource[]) {
    await init(source);
  }
  await init(fetch("tidegate.wasm"));
  // @ts-expect-error A number is no place.
  await init(7);

  using gate: Gate = prepare({ type: "object", resmo: { id: "employeeId" } });
  is<Gate>(prepare("{}"));
  is<Gate>(prepare(bytes));
  // @ts-expect-error A gate is made by `prepare`.
  new Gate();
  // @ts-expect-error A schema is a text or an object.
  prepare(true);

  is<{ [keyword: string]: JsonValue }>(gate.effectiveSchema);
  is<string>(gate.digest);
  is<readonly string[]>(gate.columns);
  is<readonly string[]>(gate.openObjects);
  is<readonly Problem[]>(gate.warnings);
  // @ts-expect-error A gate stays what it is.
  gate.digest = "";

  const options: CheckOptions = { showValues: true };
  const checked: CheckResult = gate.check(ada, options);
  if (checked.valid) {
    is<Accepted>(checked);
    is<string>(checked.id);
    is<string | null>(checked.name);
    is<readonly JsonValue[]>(checked.importantFields);
    is<string>(checked.digest);
    is<0>(checked.violations.length);
    // @ts-expect-error What passes has no code.
    checked.code;
  } else {
    is<Rejected & NotThere>(checked);
    is<RejectionCode>(checked.code);
    is<null>(checked.id);
    is<readonly Violation[]>(checked.violations);
    is<true | undefined>(checked.truncated);
    is<number | undefined>(checked.line ?? checked.column ?? checked.offset ?? checked.limit ?? checked.item);
    is<string | undefined>(checked.pointer);
    for (const violation of checked.violations) {
      is<ViolationCode>(violation.code);
      is<string>(violation.pointer + violation.schemaPointer + violation.keyword + violation.detail);
      is<number | undefined>(violation.item);
      // @ts-expect-error There is no such code.
      if (violation.code === "unknown-fields") return;
    }
  }
  // Without narrowing there are the members that both have.
  is<string | null>(checked.id);
  is<number>(checked.violations.length);

  is<boolean>(gate.isValid('{"employeeId":"1"}'));
  // @ts-expect-error A payload is a text or an object.
  gate.isValid(1);

  const bulk: BulkResult = gate.checkBulk([ada, { employeeId: "2" }], options);
  if (bulk.valid) is<readonly BulkItem[]>(bulk.items);
  else is<Rejected>(bulk);
  // @ts-expect-error One object is no snapshot.
  gate.checkBulk({ employeeId: "1" });

  const manifest: Manifest = { items: { 1: "aa" } };
  const planned: PlanResult = gate.plan(manifest, "[]", options);
  is<PlanResult>(gate.plan(JSON.stringify(manifest), bytes));
  if (planned.valid) {
    is<Plan>(planned);
    is<number>(planned.added + planned.modified + planned.removed + planned.unchanged);
    for (const change of planned.changes) {
      is<Change>(change);
      is<"added" | "modified" | "removed">(change.type);
      // @ts-expect-error A plan does not know the fields.
      change.fields;
    }
  } else {
    is<Rejected>(planned);
  }

  const compared: CompareResult = gate.compare("[]", [ada], options);
  if (compared.valid) is<readonly string[] | undefined>(compared.changes[0]?.fields);
  else is<"before" | "after">(compared.side);

  is<Uint8Array>(gate.bulkBody("{}\n{}"));
  is<string>(digest({ a: 1 }));
  is<string[]>(diff({ a: 1 }, '{"a":2}'));
  is<void>(gate.free());

  const text: JsonText = new ArrayBuffer(2);
  const payload: Payload = text;
  const items: Items = text;
  gate.check(payload);
  gate.checkBulk(items);
}

export function theErrors(error: unknown): string {
  if (error instanceof SchemaError) {
    is<readonly Problem[]>(error.problems);
    for (const problem of error.problems) is<ProblemCode>(problem.code);
  }
  if (error instanceof UnreadableError) {
    is<"malformed-json" | "duplicate-member" | "too-large">(error.code);
    is<number | undefined>(error.line ?? error.column ?? error.offset);
    is<string | undefined>(error.pointer);
  }
  if (error instanceof ProblemError) {
    is<"gate" | "server">(error.origin);
    is<Code>(error.code);
    is<number>(error.status);
    is<string>(error.title + error.detail);
    is<readonly (Violation | Problem)[]>(error.errors);
    is<Readonly<Record<string, unknown>>>(error.problem);
    is<string | null>(error.requestId);
    // A newer server may have more codes.
    if (error.code === "removal-guard" || error.code === "of-tomorrow") return error.code;
  }
  if (error instanceof ConnectionError) is<number | null>(error.status);
  if (error instanceof NotInitializedError || error instanceof CrashError) is<unknown>(error.cause);

  // For somebody's own tests.
  is<TidegateError>(new SchemaError([{ pointer: "#", code: "root-type", detail: "expected `object`" }]));
  is<TidegateError>(new UnreadableError("too long", { code: "too-large" }));
  is<TidegateError>(new ProblemError({ code: "conflict", detail: "others were first", status: 409 }));
  is<TidegateError>(new ConnectionError("silence", { cause: error }));
  // @ts-expect-error It is made of problems.
  new SchemaError("the schema is wrong");
  return error instanceof TidegateError ? error.message : String(error);
}

export async function theClient(gate: Gate, signal: AbortSignal): Promise<void> {
  const options: ClientOptions = {
    url: new URL("https://tidegate.example"),
    key: "tgk_…",
    gates: { employee: gate },
    retries: 5,
    maxRetryDelay: 1000,
    fetch,
  };
  const client = new Client(options);
  // @ts-expect-error There is a key to each client.
  new Client({ url: "https://tidegate.example" });

  const request: RequestOptions = { groupKey: "berlin", signal };
  const change: ChangeOptions = { ...request, event: "promotion", actor: { name: "Ada" } };
  const bulk: BulkOptions = { ...change, maxRemovals: "20%" };

  const sent: EventResult = await client.send("employee", ada, { ...change, dryRun: true });
  is<"added" | "modified" | "unchanged" | "planned">(sent.result);
  is<string>(sent.id + sent.table + sent.groupKey + sent.digest);
  is<string | null>(sent.changeId);
  is<readonly string[]>(sent.fields);
  is<true | undefined>(sent.dryRun);
  // @ts-expect-error A single resource has no guard.
  await client.send("employee", ada, { maxRemovals: 1 });

  const applied: BulkAnswer = await client.sendBulk("employee", [ada], { ...bulk, dryRun: false, details: true });
  is<"applied" | "planned">(applied.result);
  is<number>(applied.added + applied.modified + applied.removed + applied.unchanged);
  is<readonly string[] | undefined>(applied.changes?.[0]?.fields);
  await client.sendBulk("employee", bytes, { maxRemovals: 10 });
  // @ts-expect-error One object is no snapshot.
  await client.sendBulk("employee", { employeeId: "1" });

  const removed: RemovalAnswer = await client.remove("employee", ["1", "a,b"], change);
  is<number>(removed.removed + removed.ignored);
  // @ts-expect-error Ids come as a list.
  await client.remove("employee", "1");

  is<Manifest>(await client.manifest("employee", request));
  is<Plan>(await client.preview("employee", "[]", request));
}

export async function theWorker(blob: Blob, thread: Worker, signal: AbortSignal): Promise<void> {
  const like: WorkerLike = thread;
  const options: WorkerOptions = { wasm: new URL("https://tidegate.example/tidegate.wasm"), worker: like };
  using worker: GateWorker = await GateWorker.start({ type: "object" }, options);
  // @ts-expect-error A worker is started.
  new GateWorker();

  const onProgress = (progress: Progress): void => {
    is<number>(progress.bytes + progress.items + progress.invalidItems);
    is<number | null>(progress.total);
    // @ts-expect-error A report does not change any more.
    progress.bytes = 0;
  };
  const how: FileOptions = { showValues: true, signal, onProgress };
  const result: FileResult = await worker.check(blob, how);
  is<FileRead>(result);
  is<number>(result.bytes + result.itemCount + result.invalidItems);
  is<boolean>(result.fitsOneBulk);
  if (result.valid) is<FilePassed>(result);
  else is<readonly Violation[]>(result.violations);

  const planned = await worker.plan({ items: {} }, blob.stream(), how);
  is<FileRead>(planned);
  if (planned.valid) is<Plan>(planned);
  else is<Rejected>(planned);

  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const sources: Source[] = ["[]", bytes, new ArrayBuffer(2), chunks(), new Response().body!];
  await Promise.all(sources.map((source) => worker.check(source)));
  // @ts-expect-error A list of values is no file.
  await worker.check([ada]);
  is<void>(worker.terminate());
}
