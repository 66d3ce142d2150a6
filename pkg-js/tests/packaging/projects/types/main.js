// Compiles the uses of the types as projects would that have installed the package.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [uses, compiler] = process.argv.slice(2);
const FILES = {
  "usage.ts": ["--lib", "esnext,dom"],
  // Where there is no DOM.
  "node.ts": ["--lib", "esnext", "--types", "node"],
};
const PROJECTS = {
  bundler: ["module", "--module", "esnext", "--moduleResolution", "bundler"],
  module: ["module", "--module", "nodenext", "--moduleResolution", "nodenext"],
  commonjs: ["commonjs", "--module", "nodenext", "--moduleResolution", "nodenext"],
};

for (const [project, [type, ...options]] of Object.entries(PROJECTS)) {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type }));
  for (const [file, more] of Object.entries(FILES)) {
    const text = readFileSync(join(uses, file), "utf8")
      .replaceAll('"../../js/index.js"', '"tidegate"')
      .replaceAll(/"\.\.\/\.\.\/js\/(\w+)\.js"/g, '"tidegate/$1"');
    writeFileSync(join(project, file), `${text}import "tidegate/worker-thread";\nimport "tidegate/inline";\n`);
    const strict = ["--strict", "--skipLibCheck", "false", "--target", "es2022", "--noEmit"];
    const argv = [compiler, ...strict, ...options, ...more, join(project, file)];
    try {
      execFileSync(process.execPath, argv, { stdio: "pipe" });
    } catch (error) {
      console.error(`${file} as ${project}:\n${error.stdout}${error.stderr}`);
      process.exitCode = 1;
    }
  }
}
