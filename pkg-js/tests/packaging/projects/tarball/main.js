// Looks at the package itself: what is in it, what its manifest says, and what a bundle takes of it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join, relative } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const home = "node_modules/tidegate";
const manifest = JSON.parse(await readFile(join(home, "package.json"), "utf8"));

// Nothing else is installed with it, and nothing runs when it is.
for (const name of ["dependencies", "peerDependencies", "optionalDependencies", "scripts"]) {
  assert.equal(manifest[name], undefined, name);
}

// What the manifest names is there.
const targets = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(targets));
const named = targets(manifest.exports).map((target) => join(target));
for (const target of named) assert.ok(existsSync(join(home, target)), target);
const require = createRequire(import.meta.url);
for (const entry of Object.keys(manifest.exports)) {
  for (const resolve of [import.meta.resolve, require.resolve]) assert.ok(resolve(join(manifest.name, entry)));
}

// Whoever imports an entry sees what its types declare, and nothing that is the package's own.
const gate = ["CrashError", "Gate", "NotInitializedError", "SchemaError", "TidegateError", "UnreadableError"];
const offered = {
  "node.js": [...gate, "diff", "digest", "init", "prepare"],
  "index.js": [...gate, "diff", "digest", "init", "prepare"],
  "inline.js": [...gate, "diff", "digest", "init", "prepare"],
  "client.js": ["Client", "ConnectionError", "ProblemError"],
  "worker.js": ["GateWorker"],
  "worker-node.js": ["GateWorker"],
};
for (const [file, names] of Object.entries(offered)) {
  assert.deepEqual(Object.keys(await import(`./${home}/dist/${file}`)), names, file);
}
for (const file of ["node.js", "inline.js", "client.js", "worker-node.js"]) {
  assert.deepEqual(Object.keys(require(`./${home}/dist/cjs/${file}`)).sort(), offered[file], file);
}

// Types come before what they are the types of, or TypeScript does not find them.
(function typesFirst(value) {
  if (typeof value === "string") return;
  const names = Object.keys(value).filter((name) => typeof value[name] === "string");
  if (names.includes("types")) assert.equal(names[0], "types");
  Object.values(value).forEach(typesFirst);
})(manifest.exports["."]);

// There is nothing in it to which nothing leads.
const reached = new Set(["package.json", "LICENSE", "README.md", "dist/cjs/package.json"]);
for (let file = named.pop(); file !== undefined; file = named.pop()) {
  if (reached.has(file)) continue;
  reached.add(file);
  if (!/\.(js|d\.ts)$/.test(file)) continue;
  const text = await readFile(join(home, file), "utf8");
  for (const [, path] of text.matchAll(/(?:\bfrom ?|\bimport ?|\brequire\(|\bURL\()"(\.[^"]+)"/g)) {
    named.push(join(file, "..", file.endsWith(".ts") ? path.replace(/\.js$/, ".d.ts") : path));
  }
}
for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
  const file = relative(home, join(entry.parentPath ?? entry.path, entry.name));
  assert.ok(entry.isDirectory() || reached.has(file), `nothing leads to \`${file}\``);
}

// Whoever imports little gets little.
for (const platform of ["browser", "node"]) {
  const parts = async (entry) => {
    const options = { bundle: true, write: false, format: "esm", metafile: true, outfile: "out.js", platform };
    const { metafile } = await build({ logLevel: "silent", ...options, ...entry });
    const inputs = Object.entries(metafile.outputs["out.js"].inputs);
    const taken = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => basename(file));
    return taken.filter((file) => file !== "<stdin>").sort();
  };
  const worker = platform === "node" ? "worker-node.js" : "worker.js";
  for (const [code, expected] of [
    ['import { TidegateError } from "tidegate"; console.log(TidegateError)', ["errors.js"]],
    ['import { Client } from "tidegate/client"; console.log(Client)', ["bytes.js", "client.js", "errors.js", "problem.js"]],
    [
      'import { GateWorker } from "tidegate/worker"; console.log(GateWorker)',
      ["bytes.js", "errors.js", "worker-core.js", worker],
    ],
    ['import "tidegate"; import "tidegate/inline"; import "tidegate/client"; import "tidegate/worker"', []],
  ]) {
    assert.deepEqual(await parts({ stdin: { contents: code, resolveDir: "." } }), expected, `${platform}: ${code}`);
  }
  // It exports nothing: it is where a bundle begins.
  const thread = await parts({ entryPoints: ["tidegate/worker-thread"] });
  assert.ok(thread.includes("worker-thread-core.js") && thread.includes("core.js"), `${platform}: ${thread}`);
}

// What others know to look for.
const { messages, pkg } = await publint({ pkgDir: home, pack: false, strict: true });
assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
const { problems } = await checkPackage(createPackageFromTarballData(await readFile(process.argv[2])));
const known = (problem) =>
  // TypeScript 7 has no such resolution any more.
  problem.resolutionKind === "node10" ||
  // A module, and a file for `new Worker`, are no entries that have types.
  ["./tidegate.wasm", "./worker-thread"].includes(problem.entrypoint);
assert.deepEqual(problems.filter((problem) => !known(problem)), []);
