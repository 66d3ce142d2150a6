import { copyFile } from "node:fs/promises";
import { build } from "esbuild";

await build({
  entryPoints: {
    main: "main.js",
    worker: "worker.js",
    "worker-thread": "tidegate/worker-thread",
    place: "place.js",
    "threads/gate": "tidegate/worker-thread",
    inline: "inline.js",
  },
  bundle: true,
  format: "esm",
  minify: true,
  loader: { ".wasm": "file" },
  outdir: "dist",
  logLevel: "warning",
});
await copyFile("node_modules/tidegate/dist/tidegate.wasm", "dist/tidegate.wasm");
