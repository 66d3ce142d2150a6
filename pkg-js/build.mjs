// Puts the package together in `dist`: `node build.mjs DIRECTORY`, where wasm-bindgen's `glue.js` and the
// optimised `tidegate.wasm` are.

import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const from = process.argv[2];
const home = fileURLToPath(new URL(".", import.meta.url));
const dist = join(home, "dist");
const cjs = join(dist, "cjs");

await rm(dist, { recursive: true, force: true });
await mkdir(cjs, { recursive: true });
// Names stay, for whoever reads a stack trace; the comments are in the sources.
const small = { minifyWhitespace: true, minifySyntax: true, target: "es2022" };
for (const name of await readdir(join(home, "js"))) {
  const file = join(home, "js", name);
  if (name.endsWith(".d.ts")) {
    await cp(file, join(dist, name));
  } else {
    const { code } = await transform(await readFile(file, "utf8"), small);
    await writeFile(join(dist, name), code);
  }
}
await cp(join(from, "tidegate.wasm"), join(dist, "tidegate.wasm"));
// With the glue, of which this takes what it calls.
const glue = {
  name: "glue",
  setup: ({ onResolve }) => onResolve({ filter: /\/glue\.js$/ }, () => ({ path: resolve(from, "glue.js") })),
};
await build({
  ...{ entryPoints: [join(home, "js/core.js")], outfile: join(dist, "core.js"), bundle: true, format: "esm" },
  ...{ external: ["./errors.js"], plugins: [glue], ...small },
});
const gzipped = gzipSync(await readFile(join(dist, "tidegate.wasm")), { level: 9 }).toString("base64");
await writeFile(join(dist, "inline-wasm.js"), `export const gzipped =\n  "${gzipped}";\n`);
await cp(join(home, "../LICENSE"), join(home, "LICENSE"));

// CommonJS, file by file, so that all entries share what they share in the modules. It is for Node.js only:
// bundlers take the modules, and so does whoever calls `require` in one.
const BROWSERS_ONLY = ["index.js", "worker.js", "worker-thread.js"];
await writeFile(join(cjs, "package.json"), '{ "type": "commonjs" }\n');
for (const name of await readdir(dist)) {
  if (name.endsWith(".d.ts")) {
    await cp(join(dist, name), join(cjs, name));
  } else if (name.endsWith(".js") && !BROWSERS_ONLY.includes(name)) {
    const text = await readFile(join(dist, name), "utf8");
    const url = "require('node:url').pathToFileURL(__filename)";
    const options = { format: "cjs", target: "node20", define: { "import.meta.url": "importMetaUrl" } };
    const { code } = await transform(text.replaceAll("./tidegate.wasm", "../tidegate.wasm"), options);
    const head = code.includes("importMetaUrl") ? `const importMetaUrl = ${url};\n` : "";
    await writeFile(join(cjs, name), head + code);
  }
}
