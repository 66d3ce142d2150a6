// Installs the packed package into real projects, and has each do the same: `node run.mjs TARBALL DIRECTORY
// [CHROMIUM]`. Without Chromium only those run that need no browser.
//
// `DIRECTORY` keeps the bundlers, so that the next run is quicker; the projects in it are made anew. They
// find the bundlers where Node.js looks: in the directories above.

import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Project, run, same } from "./project.mjs";
import { serveFake } from "./server.mjs";

const home = fileURLToPath(new URL(".", import.meta.url));
const [tarball, directory] = process.argv.slice(2, 4).map((path) => resolve(path));
const executablePath = process.argv[4];

const expected = JSON.parse(await readFile(join(home, "expected.json"), "utf8"));
const { exercise, client, files, hostile, many, stack, memory } = expected;
// Where nothing has to be loaded, nothing can be too early.
const { early: _, ...unprompted } = exercise;
const inNode = { exercise: unprompted, client, files };
const inPage = { exercise, client, files, worker: exercise };
const attacked = { hostile, many, stack };

/** What is done in each project; its files are in the directory of its name, or of another one's. */
const WITHOUT_BROWSER = {
  async tarball(project) {
    await project.node("main.js", tarball);
  },
  async types(project) {
    await project.node("main.js", join(home, "../types"), join(directory, "node_modules/typescript/bin/tsc"));
  },
  async "node-esm"(project) {
    same(await project.told("main.js", fake.url), { ...inNode, ...attacked });
    same(await project.told("inline.js"), { exercise });
    same(await project.told("--wasm-max-mem-pages=400", "memory.js"), { memory });
  },
  async "node-cjs"(project) {
    same(await project.told("main.js", fake.url), inNode);
    same(await project.told("inline.js"), { exercise });
  },
};
const IN_BROWSER = {
  async "script-module"(project) {
    const url = await project.serve();
    same(await project.page(`${url}#${fake.url}`), { ...inPage, inline: exercise, ...attacked });
  },
  async esbuild(project) {
    await project.node("build.js");
    const url = await project.serve();
    same(await project.page(`${url}#${fake.url}`), inPage);
    same(await project.page(`${url}place.html`), { exercise, files });
    same(await project.page(`${url}inline.html`), { exercise });
  },
  async webpack(project) {
    await project.node("build.js");
    same(await project.page(`${await project.serve()}#${fake.url}`), inPage);
  },
  async vite(project) {
    await project.node("build.js");
    same(await project.page(`${await project.serve("dist")}#${fake.url}`), inPage);
    // Vite bundles a dependency for its development server too, unless it is told not to.
    for (const how of ["bundled", "excluded"]) {
      same(await project.page(`${await project.server("dev.js", how)}#${fake.url}`), inPage);
    }
  },
};

const fake = await serveFake();
let browser;
let failures = 0;
try {
  await installBundlers();
  if (executablePath) {
    const { chromium } = await import(pathToFileURL(join(directory, "node_modules/playwright-core/index.mjs")));
    const args = ["--no-sandbox", "--disable-dev-shm-usage"];
    browser = await chromium.launch({ executablePath, args, timeout: 120_000 });
  }
  const left = Object.entries(browser ? { ...IN_BROWSER, ...WITHOUT_BROWSER } : WITHOUT_BROWSER);
  // While one waits for npm, the other one can compute.
  await Promise.all([perform(left), perform(left)]);
} finally {
  await browser?.close();
  fake.close();
}
process.exitCode = failures === 0 ? 0 : 1;

async function perform(left) {
  for (let next = left.shift(); next; next = left.shift()) {
    const [name, work] = next;
    const begun = performance.now();
    const project = new Project(join(directory, "projects", name), browser);
    try {
      await project.install(name, tarball);
      await work(project);
      console.log(`packaging ${name}: passed (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures += 1;
      console.log(`packaging ${name}: FAILED: ${error.message}`);
    } finally {
      await project.end();
    }
  }
}

/** Installs what the lock file names, unless it is there. */
async function installBundlers() {
  await mkdir(directory, { recursive: true });
  const lock = await readFile(join(home, "package-lock.json"), "utf8");
  const installed = join(directory, "node_modules/.installed-from");
  if ((await readFile(installed, "utf8").catch(() => "")) === lock) return;
  for (const name of ["package.json", "package-lock.json", ".npmrc"]) {
    await cp(join(home, name), join(directory, name));
  }
  // None of them has to run anything of its own to be installed.
  await run("npm", ["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], directory);
  await writeFile(installed, lock);
}
