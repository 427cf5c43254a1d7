#!/usr/bin/env node
/** Starts the program `isr` of this machine's platform. docs/cli.md describes its commands. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

import { PLATFORMS, packageFor, programIn } from "./platform.mjs";

/** Finds the program: the one that the variable names, or the one in the package for this platform. */
function find() {
  if (process.env.ISR_PROGRAM) return process.env.ISR_PROGRAM;
  try {
    return createRequire(import.meta.url).resolve(`${packageFor()}/${programIn()}`);
  } catch {
    return undefined;
  }
}

function missing() {
  const platform = `${process.platform}-${process.arch}`;
  const remedy = PLATFORMS.includes(platform)
    ? `Install the package ${packageFor()}: run \`npm install\` without \`--omit=optional\`, on this machine.`
    : `There is no package for ${platform}.`;
  return `error: the program of cloudflare-isr for ${platform} is not installed. ${remedy}
Or build it with Rust, in a clone of the repository: \`cargo install --path cli\`. Then start it as \`isr\`, or set the
variable ISR_PROGRAM to its path.`;
}

const program = find();
if (program === undefined) {
  console.error(missing());
  process.exitCode = 2;
} else {
  const { error, signal, status } = spawnSync(program, process.argv.slice(2), { stdio: "inherit" });
  if (error) {
    console.error(`error: ${program} can't be started: ${error.message}`);
    process.exitCode = 2;
  } else if (signal) {
    process.kill(process.pid, signal);
  } else {
    process.exitCode = status;
  }
}
