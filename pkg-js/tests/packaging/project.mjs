// A project while it is tested: what it is made of, what it runs, and what it tells.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { serveFiles } from "./server.mjs";

const home = fileURLToPath(new URL(".", import.meta.url));
// What takes longer hangs. A machine that builds other things meanwhile is slow.
const LIMIT = 120_000;

export class Project {
  #directory;
  #browser;
  /** What is to be ended with it. */
  #open = [];

  constructor(directory, browser) {
    this.#directory = directory;
    this.#browser = browser;
  }

  /** Makes it anew from the files in `projects/`, and installs the package. */
  async install(files, tarball) {
    await rm(this.#directory, { recursive: true, force: true });
    await cp(join(home, "projects", files), this.#directory, { recursive: true });
    await cp(join(home, "shared"), join(this.#directory, "shared"), { recursive: true });
    const options = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"];
    await run("npm", ["install", "--silent", ...options, tarball], this.#directory);
  }

  /** Runs Node.js in it, and gives what it prints. */
  node(...argv) {
    return run(process.execPath, argv, this.#directory);
  }

  /** Likewise, of a program that tells something. */
  async told(...argv) {
    return unwrapped(JSON.parse(await this.node(...argv)));
  }

  /** Starts a server of its own, which prints its address. */
  async server(...argv) {
    const child = spawn(process.execPath, argv, { cwd: this.#directory, timeout: LIMIT, ...QUIET });
    this.#open.push(() => child.kill());
    const errors = text(child.stderr);
    const [line] = await Promise.race([once(child.stdout, "data"), once(child, "exit").then(() => [""])]);
    if (!URL.canParse(String(line))) throw new Error(`\`node ${argv.join(" ")}\` does not serve: ${await errors}`);
    return String(line).trim();
  }

  /** Serves what is in it. */
  async serve(place = "") {
    const server = await serveFiles(join(this.#directory, place));
    this.#open.push(server.close);
    return server.url;
  }

  /** Opens a page, and gives what it tells. */
  async page(url) {
    const context = await this.#browser.newContext();
    this.#open.push(() => context.close());
    const page = await context.newPage();
    // Without them a failure would be a riddle.
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.setDefaultTimeout(LIMIT);
    try {
      await page.goto(url);
      // It waits for what is promised there as well.
      return unwrapped(await (await page.waitForFunction(() => globalThis.told)).jsonValue());
    } catch (error) {
      throw new Error([error.message, ...complaints].join("\n  "), { cause: error });
    }
  }

  async end() {
    for (const end of this.#open.splice(0)) await end();
  }
}

/** Fails unless both are the same, and says where they are not. */
export function same(told, expected) {
  const faults = differences(told, expected);
  if (faults.length) throw new Error(`not what is expected:\n  ${faults.slice(0, 10).join("\n  ")}`);
}

function differences(told, expected, place = "") {
  if (isDeepStrictEqual(told, expected)) return [];
  const isBranch = (value) => typeof value === "object" && value !== null;
  if (!isBranch(told) || !isBranch(expected)) {
    return [`${place || "all"}: told ${JSON.stringify(told)}, expected ${JSON.stringify(expected)}`];
  }
  const names = new Set([...Object.keys(expected), ...Object.keys(told)]);
  return [...names].flatMap((name) => differences(told[name], expected[name], place ? `${place}.${name}` : name));
}

function unwrapped({ told, error, cause }) {
  if (error) throw new Error(cause ? `${error}\n  cause: ${cause}` : error);
  return told;
}

const QUIET = { stdio: ["ignore", "pipe", "pipe"], killSignal: "SIGKILL" };

/** Runs a program to its end, and gives what it prints; a failure says all of it. */
export async function run(program, argv, cwd) {
  const child = spawn(program, argv, { cwd, timeout: LIMIT, ...QUIET });
  const [output, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  if (code !== 0) {
    throw new Error(`\`${program} ${argv.join(" ")}\` ended with ${code ?? signal}:\n${output}${errors}`.trimEnd());
  }
  return output;
}
