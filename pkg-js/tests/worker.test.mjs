// The worker's protocol, over a fake gate: its two sides in one thread, and in two.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, openAsBlob } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { MessageChannel, Worker } from "node:worker_threads";

import { CrashError, SchemaError, TidegateError, UnreadableError } from "../js/errors.js";
import { gateWorker } from "../js/worker-core.js";
import { serve } from "../js/worker-thread-core.js";
import * as fake from "./fake-module.mjs";
import { failure } from "./failure.mjs";

const MIB = 1024 * 1024;
const limit = { timeout: 60_000 };
const encode = (text) => new TextEncoder().encode(text);
const lines = (count, line = "x") => `${line}\n`.repeat(count);

/** A worker that is in this thread, and what crosses between. */
function nearby() {
  const { port1, port2 } = new MessageChannel();
  const crossed = { there: [], back: [] };
  const receive = serve(
    (message) => {
      crossed.back.push(message);
      port2.postMessage(message);
    },
    setImmediate,
    fake,
  );
  port2.on("message", (message) => {
    crossed.there.push(message);
    receive(message);
  });
  return {
    crossed,
    on: (type, listener) => port1.on(type, listener),
    postMessage: (message, transfer) => port1.postMessage(message, transfer),
    terminate: () => port1.close(),
    ref: () => port1.ref(),
    unref: () => port1.unref(),
  };
}

const NearbyWorker = gateWorker(nearby);
const ThreadWorker = gateWorker(() => new Worker(new URL("./fake-thread.mjs", import.meta.url)));

/** Waits for what happens soon; the test's own time limit bounds it. */
const until = async (happened) => {
  while (!happened()) await sleep(5);
};

/** Starts a worker that the test ends. */
async function started(t, Type, options) {
  const worker = await Type.start("{}", options);
  t.after(() => worker.terminate());
  return worker;
}

let folder;
before(async () => (folder = await mkdtemp(join(tmpdir(), "tidegate-"))));
after(() => rm(folder, { recursive: true }));
beforeEach(() => fake.log.splice(0));

describe("starting", limit, () => {
  test("hands over the schema and the module", async (t) => {
    const bytes = encode('{"type":"object"}');
    const module = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const buffer = new ArrayBuffer(8);
    for (const [schema, options] of [
      ['{"a":1}'],
      [bytes, { wasm: new URL("file:///somewhere/tidegate.wasm") }],
      [{ a: 1, b: undefined }, { wasm: "./tidegate.wasm" }],
      ["{}", { wasm: buffer }],
      ["{}", { wasm: module }],
    ]) {
      (await NearbyWorker.start(schema, options)).terminate();
    }
    const of = (what) => fake.log.filter(([name]) => name === what).map(([, value]) => value);
    assert.deepEqual(of("prepare"), ['{"a":1}', bytes, '{"a":1}', "{}", "{}"]);
    const [none, place, path, copy, compiled] = of("init");
    assert.equal(none, undefined);
    assert.ok(place instanceof URL && place.href === "file:///somewhere/tidegate.wasm");
    assert.equal(path, "./tidegate.wasm");
    assert.equal(copy.byteLength, 8);
    assert.equal(buffer.byteLength, 8, "the caller's bytes stay there");
    assert.ok(compiled instanceof WebAssembly.Module);
    assert.equal(bytes.length, 17);
  });

  test("in a browser a place is meant from the page, not from the worker", async (t) => {
    t.after(() => delete globalThis.location);
    globalThis.location = { href: "https://page.example/a/b.html" };
    (await NearbyWorker.start("{}", { wasm: "../tidegate.wasm" })).terminate();
    assert.equal(fake.log[0][1].href, "https://page.example/tidegate.wasm");
  });

  test("fails with the schema's problems, and ends the worker", async () => {
    const worker = new Worker(new URL("./fake-thread.mjs", import.meta.url));
    const exit = once(worker, "exit");
    const error = await failure(ThreadWorker.start({ wrong: true }, { worker }));
    assert.ok(error instanceof SchemaError && error instanceof TidegateError);
    assert.deepEqual(
      error.problems.map((problem) => problem.code),
      ["root-type", "resource-keyword"],
    );
    assert.match(error.message, /#\/type: expected `object`/);
    await exit;
  });

  test("fails as the module does", async () => {
    const unreadable = await failure(NearbyWorker.start("unreadable"));
    assert.ok(unreadable instanceof UnreadableError);
    assert.deepEqual({ ...unreadable }, { code: "malformed-json", line: 1, column: 1, offset: 0, pointer: "#" });
    assert.equal(unreadable.message, "expected a value");

    const other = await failure(NearbyWorker.start("{}", { wasm: "missing" }));
    assert.equal(`${other}`, "LinkError: cannot be fetched");
    assert.match(other.stack, /fake-module/);
  });

  test("fails when there is nothing to be started or said", async () => {
    const missing = gateWorker(() => new Worker(new URL("./no-such-thread.mjs", import.meta.url)));
    const error = await failure(missing.start("{}"));
    assert.ok(error instanceof CrashError);
    assert.match(error.message, /the worker failed: Cannot find module/);
    assert.ok((await failure(NearbyWorker.start(undefined))) instanceof TypeError);
    assert.equal((await failure(NearbyWorker.start("{}", { wasm: () => {} }))).name, "DataCloneError");
    assert.equal(
      (
        await failure(
          gateWorker(() => {
            throw new RangeError("none");
          }).start("{}"),
        )
      ).message,
      "none",
    );
    assert.throws(() => new NearbyWorker(), TypeError);
  });

  test("in a browser a script that cannot be loaded is a crash that says what to do", async () => {
    class Absent extends EventTarget {
      postMessage() {
        setTimeout(() => this.dispatchEvent(new Event("error")));
      }
      terminate() {}
    }
    const error = await failure(gateWorker(() => new Absent()).start("{}"));
    assert.ok(error instanceof CrashError);
    assert.match(error.message, /give it as `worker`/);
  });

  test("a browser's worker is listened to as an event target", async () => {
    class Present extends EventTarget {
      #receive = serve((data) => this.dispatchEvent(Object.assign(new Event("message"), { data })), setImmediate, fake);
      postMessage(message) {
        queueMicrotask(() => this.#receive(structuredClone(message)));
      }
      terminate() {}
    }
    const worker = await NearbyWorker.start("{}", { worker: new Present() });
    assert.equal((await worker.check(lines(3))).itemCount, 3);
  });
});

for (const [where, Type] of [
  ["here", NearbyWorker],
  ["in a thread", ThreadWorker],
]) {
  describe(`checking, ${where}`, limit, () => {
    const text = lines(300_000, "äbcdefg");
    const bytes = encode(text);
    const expected = { valid: true, bytes: bytes.length, itemCount: 300_000, invalidItems: 0, fitsOneBulk: true };
    async function* chunks(size) {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }

    test("every kind of source", async (t) => {
      const worker = await started(t, Type);
      const path = join(folder, "file");
      await writeFile(path, bytes);
      const sources = {
        text,
        bytes,
        view: Buffer.concat([Buffer.from("xx"), bytes]).subarray(2),
        buffer: bytes.slice().buffer,
        blob: new Blob([bytes]),
        "file as a blob": await openAsBlob(path),
        "web stream": new Blob([bytes]).stream(),
        "response's body": new Response(bytes).body,
        "node stream": createReadStream(path),
        "small chunks": chunks(1000),
        "one large chunk": chunks(bytes.length),
        "empty chunks between": (async function* () {
          for await (const chunk of chunks(700_000)) yield* [new Uint8Array(0), chunk, new Uint8Array(0)];
        })(),
      };
      for (const [name, source] of Object.entries(sources)) {
        const seen = [];
        const result = await worker.check(source, { onProgress: (progress) => seen.push(progress) });
        assert.deepEqual(result, expected, name);
        const total = /text|bytes|view|buffer|blob/.test(name) ? bytes.length : null;
        assert.deepEqual(seen.at(-1), { bytes: bytes.length, total, items: 300_000, invalidItems: 0 }, name);
      }
      assert.equal(bytes.length, expected.bytes, "the caller's bytes stay there");
    });

    test("a source that fills one buffer again and again", async (t) => {
      const worker = await started(t, Type);
      const buffer = new Uint8Array(2);
      const source = (async function* () {
        for (let i = 0; i < 100; i++) {
          buffer.set(i < 50 ? [0x78, 0x0a] : [0x78, 0x78]);
          yield buffer;
        }
      })();
      assert.equal((await worker.check(source)).itemCount, 50);
    });

    test("nothing at all", async (t) => {
      const worker = await started(t, Type);
      for (const source of ["", new Uint8Array(0), new Blob([]), new Blob([]).stream(), chunks.call(null, Infinity)]) {
        if (typeof source?.next === "function") await source.return();
        assert.equal((await worker.check(source)).bytes, 0);
      }
    });

    test("what a plan takes", async (t) => {
      const worker = await started(t, Type);
      const manifest = { items: { 1: "aa" } };
      const written = JSON.stringify(manifest);
      for (const given of [manifest, written, encode(written), encode(written).buffer]) {
        assert.equal((await worker.plan(given, text)).manifest, written);
      }
      let pulled = false;
      const source = (async function* () {
        pulled = true;
        yield bytes;
      })();
      const error = await failure(worker.plan({ rows: [] }, source));
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /manifest/);
      assert.equal(pulled, false, "a wrong manifest is told of before the file is read");
      assert.ok((await failure(worker.plan(undefined, text))) instanceof TypeError);
      assert.ok((await failure(worker.plan(Uint8Array.of(0xff), text))) instanceof TypeError);
      assert.equal((await worker.check(text)).itemCount, 300_000);
    });

    test("progress grows, about every 100 ms", async (t) => {
      const worker = await started(t, Type);
      const piece = encode(`slow 30\n${lines(1000, "bad")}`.padEnd(MIB, "-"));
      const seen = [];
      const source = new Blob(
        Array(20)
          .fill([piece, piece.fill(45, 5000, 5000)])
          .flat(),
      );
      await worker.check(source, { onProgress: (progress) => seen.push({ ...progress, at: performance.now() }) });
      assert.ok(seen.length >= 3 && seen.length <= 20, String(seen.length));
      for (const [i, next] of seen.slice(1).entries()) {
        for (const member of ["bytes", "items", "invalidItems"]) assert.ok(next[member] >= seen[i][member]);
        assert.equal(next.total, source.size);
      }
      assert.equal(seen.at(-1).bytes, source.size);
    });

    test("one after the other, in order", async (t) => {
      const worker = await started(t, Type);
      const order = [];
      const check = async (name, source) => {
        const { itemCount } = await worker.check(source);
        order.push([name, itemCount]);
      };
      await Promise.all([
        check(
          "slow",
          (async function* () {
            yield encode("slow 100\n");
            await sleep(100);
            yield encode("x\n");
          })(),
        ),
        check("blob", new Blob([lines(3)])),
        check("text", lines(4)),
      ]);
      assert.deepEqual(order, [
        ["slow", 2],
        ["blob", 3],
        ["text", 4],
      ]);
    });

    test("a crash ends its job, and the worker goes on", async (t) => {
      const worker = await started(t, Type);
      const [crash, next] = [worker.check("crash"), worker.check(lines(2))];
      const error = await failure(crash);
      assert.ok(error instanceof CrashError);
      assert.equal(error.message, "the stack did not suffice");
      assert.equal(`${error.cause}`, "RangeError: overflow");
      assert.equal((await next).itemCount, 2);
    });

    test("what cannot be a source", async (t) => {
      const worker = await started(t, Type);
      for (const source of [undefined, null, 7, {}, [bytes]]) {
        assert.ok((await failure(worker.check(source))) instanceof TypeError);
      }
      const texts = (async function* () {
        yield "text";
      })();
      assert.match((await failure(worker.check(texts))).message, /chunks of a source are bytes, found string/);
      const locked = new Blob(["x"]).stream();
      locked.getReader();
      assert.ok((await failure(worker.check(locked))) instanceof TypeError);
      assert.equal((await worker.check("x\n")).itemCount, 1);
    });

    test("a source that fails fails the check, with its own error", async (t) => {
      const worker = await started(t, Type);
      const reason = new Error("the disk is gone");
      const broken = (async function* () {
        yield bytes;
        throw reason;
      })();
      assert.equal(await failure(worker.check(broken)), reason);
      const stream = new ReadableStream({ pull: (controller) => controller.error(reason) });
      assert.equal(await failure(worker.check(stream)), reason);
      assert.equal((await worker.check("x\n")).itemCount, 1);
    });

    test("a callback that fails fails the check", async (t) => {
      const worker = await started(t, Type);
      const reason = new Error("no such element");
      const onProgress = () => {
        throw reason;
      };
      assert.equal(await failure(worker.check("x\n", { onProgress })), reason);
      assert.equal((await worker.check("x\n")).itemCount, 1);
    });

    test("reads no more than is needed to say what is wrong", async (t) => {
      const worker = await started(t, Type);
      let given = 0;
      let closed = false;
      const endless = async function* () {
        try {
          for (;;) {
            given++;
            yield encode(given === 2 ? "stop\n".padEnd(MIB) : "x".repeat(MIB));
          }
        } finally {
          closed = true;
        }
      };
      assert.equal((await worker.check(endless())).bytes, 2 * MIB);
      await until(() => closed);
      assert.ok(given <= 4, String(given));
      let cancelled;
      const stream = new ReadableStream({
        pull: (controller) => controller.enqueue(encode("stop\n".padEnd(MIB))),
        cancel: (reason) => (cancelled = [reason]),
      });
      await worker.check(stream);
      await until(() => cancelled);
      assert.deepEqual(cancelled, [undefined]);
    });

    test("a slow worker holds back its source", async (t) => {
      const worker = await started(t, Type);
      let given = 0;
      const piece = encode("slow 20\n".padEnd(MIB));
      const source = (async function* () {
        for (; given < 30; given++) yield piece;
      })();
      const ahead = [];
      let checked = 0;
      const onProgress = ({ bytes }) => {
        checked = bytes / MIB;
        // What is given out while the report is on its way counts too.
        ahead.push(given - checked);
      };
      await worker.check(source, { onProgress });
      assert.equal(checked, 30);
      assert.ok(ahead.length >= 4 && Math.max(...ahead) <= 12, ahead.join());
    });
  });

  describe(`cancelling, ${where}`, limit, () => {
    const endless = async function* (onClose) {
      try {
        for (;;) {
          yield encode("slow 5\n".padEnd(MIB));
          await sleep(1);
        }
      } finally {
        onClose();
      }
    };

    test("midway, and the source is let go", async (t) => {
      const worker = await started(t, Type);
      const reason = new Error("enough");
      const controller = new AbortController();
      let closed = false;
      let late = 0;
      const onProgress = () => {
        if (controller.signal.aborted) late++;
        controller.abort(reason);
      };
      const error = await failure(
        worker.check(
          endless(() => (closed = true)),
          { signal: controller.signal, onProgress },
        ),
      );
      assert.equal(error, reason);
      assert.equal((await worker.check("x\n")).itemCount, 1);
      await until(() => closed);
      assert.equal(late, 0);
    });

    test("a blob midway", async (t) => {
      const worker = await started(t, Type);
      const piece = encode("slow 20\n".padEnd(2 * MIB));
      const blob = new Blob(Array(200).fill(piece));
      const started_ = performance.now();
      const signal = AbortSignal.timeout(150);
      const error = await failure(worker.check(blob, { signal }));
      assert.equal(error, signal.reason);
      assert.equal((await worker.check("x\n")).itemCount, 1);
      // 200 slices of 20 ms each would take four seconds.
      assert.ok(performance.now() - started_ < 2500);
    });

    test("while a source gives nothing, at once", async (t) => {
      const worker = await started(t, Type);
      let cancelled;
      const stream = new ReadableStream({ cancel: (reason) => (cancelled = reason) });
      const signal = AbortSignal.timeout(50);
      assert.equal(await failure(worker.check(stream, { signal })), signal.reason);
      assert.equal((await worker.check("x\n")).itemCount, 1);
      assert.equal(cancelled, signal.reason);
    });

    test("before it begins", async (t) => {
      const worker = await started(t, Type);
      const stream = new Blob(["x"]).stream();
      assert.equal(await failure(worker.check(stream, { signal: AbortSignal.abort("enough") })), "enough");
      assert.equal(stream.locked, false);
    });

    test("while it waits its turn", async (t) => {
      const worker = await started(t, Type);
      const first = new AbortController();
      const second = new AbortController();
      const running = worker.check(
        endless(() => {}),
        { signal: first.signal },
      );
      let closed;
      const waiting = worker.check(new ReadableStream({ cancel: (reason) => (closed = reason) }), {
        signal: second.signal,
      });
      const last = worker.check("x\n");
      second.abort("second");
      assert.equal(await failure(waiting), "second");
      assert.equal(closed, "second");
      first.abort("first");
      assert.equal(await failure(running), "first");
      assert.equal((await last).itemCount, 1);
    });

    test("when it is over already, nothing happens", async (t) => {
      const worker = await started(t, Type);
      const controller = new AbortController();
      await worker.check("x\n", { signal: controller.signal });
      const next = worker.check("slow 50\nx\n");
      controller.abort();
      assert.equal((await next).itemCount, 2);
    });
  });

  test(`terminating rejects what is pending and what comes later, ${where}`, limit, async () => {
    const worker = await Type.start("{}");
    const pending = [worker.check(new ReadableStream()), worker.check("x\n")];
    worker[Symbol.dispose]();
    worker.terminate();
    for (const promise of [...pending, worker.check("x\n"), worker.plan({ items: {} }, "x\n")]) {
      const error = await failure(promise);
      assert.ok(error instanceof TidegateError && !(error instanceof CrashError));
      assert.match(error.message, /terminated/);
    }
  });
}

describe("the protocol", limit, () => {
  test("frees each check once, whatever becomes of it", async (t) => {
    const worker = await started(t, NearbyWorker);
    await worker.check("x\n");
    await failure(worker.check("crash"));
    await failure(worker.check(new ReadableStream(), { signal: AbortSignal.timeout(20) }));
    await worker.check("x\n", { showValues: true });
    const checks = fake.log.filter(([name]) => name === "check");
    assert.deepEqual(
      checks.map(([, options]) => options.showValues),
      [false, false, false, true],
    );
    assert.ok(checks.every(([, , check]) => check.freed));
  });

  test("has at most one piece under way, of at most 1 MiB, and gathers small ones", async (t) => {
    const near = nearby();
    const worker = await started(t, NearbyWorker, { worker: near });
    const source = (async function* () {
      for (let i = 0; i < 2000; i++) yield encode("x".repeat(1023) + "\n");
      yield encode("y".repeat(3 * MIB + 5));
    })();
    const { bytes } = await worker.check(source);
    assert.equal(bytes, 2000 * 1024 + 3 * MIB + 5);
    const pieces = near.crossed.there.filter((message) => "piece" in message).map(({ piece }) => piece?.length);
    assert.equal(pieces.at(-1), undefined);
    assert.ok(pieces.slice(0, -1).every((length) => length <= MIB));
    assert.ok(pieces.length <= 12, pieces.join());
    assert.equal(near.crossed.back.filter((message) => message.pull).length, pieces.length);
  });

  test("hands on what a slow source gives, and does not wait for a whole piece", async (t) => {
    const near = nearby();
    const worker = await started(t, NearbyWorker, { worker: near });
    const source = (async function* () {
      for (let i = 0; i < 4; i++) {
        yield encode("x\n");
        await sleep(80);
      }
    })();
    await worker.check(source);
    assert.ok(near.crossed.there.filter(({ piece }) => piece).length >= 3);
  });

  test("ignores what it does not know", async (t) => {
    const near = nearby();
    const worker = await started(t, NearbyWorker, { worker: near });
    for (const message of [
      null,
      undefined,
      "hello",
      { type: "webpackOk" },
      { id: 99, piece: encode("x") },
      { id: 1, cancel: true },
    ]) {
      near.postMessage(message);
    }
    const check = worker.check(
      (async function* () {
        yield encode("x\n");
        for (const message of [null, "hello", { id: 99, cancel: true }, { kind: "check", id: 98 }])
          near.postMessage(message);
        await sleep(20);
        yield encode("x\n");
      })(),
    );
    assert.equal((await check).itemCount, 2);
  });
});

describe("a worker that dies", limit, () => {
  for (const how of ["exit", "throw"]) {
    test(`by ${how}`, async () => {
      const worker = await ThreadWorker.start("{}");
      const pending = [worker.check(`${how}\n`), worker.check("x\n")];
      // A thrown error comes after the piece; what is under way then is what it hits.
      if (how === "throw") pending.push(worker.check(new ReadableStream()));
      const results = await Promise.allSettled(pending);
      const error = results.at(-1).reason;
      assert.ok(error instanceof CrashError, String(error));
      assert.match(error.message, how === "exit" ? /exited/ : /out of nowhere/);
      assert.equal(await failure(worker.check("x\n")), error);
    });
  }
});

test("a worker with nothing to do keeps no process alive", limit, async () => {
  const program = `
    import { Worker } from "node:worker_threads";
    import { gateWorker } from ${JSON.stringify(new URL("../js/worker-core.js", import.meta.url).href)};
    const thread = new URL(${JSON.stringify(new URL("./fake-thread.mjs", import.meta.url).href)});
    const worker = await gateWorker(() => new Worker(thread, { execArgv: [] })).start("{}");
    for (let i = 0; i < 2; i++) console.log((await worker.check("slow 50\\n")).itemCount);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = child.stdout.toArray();
  const timer = setTimeout(() => child.kill(), 10_000);
  const [code] = await once(child, "exit");
  clearTimeout(timer);
  assert.equal(code, 0);
  assert.equal(Buffer.concat(await output).toString(), "1\n1\n");
});
