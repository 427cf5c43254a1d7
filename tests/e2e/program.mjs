/** Starts programs as from a terminal: npm, wrangler, cargo. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

import { Server, environment } from "../server.mjs";
import { newFolder, root } from "./harness.mjs";

/** Wrangler, which is not installed again for each test. */
export const wrangler = path.join(root, "node_modules/.bin/wrangler");

const env = environment(await newFolder());

/** Runs a program to its end, and returns what it has said. It fails with that if the program does. */
export async function run(program, args, { cwd = root } = {}) {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd, env, maxBuffer: 10_000_000 });
    return { stdout, stderr };
  } catch (error) {
    assert.fail(`${path.basename(program)} ${args.join(" ")}: ${error.message}\n${error.stdout}${error.stderr}`);
  }
}

/**
 * Makes a folder one in which `cloudflare-isr` is installed, from the packed file as from a registry, and returns its path
 * there. npm resolves the other dependencies of the folder from the registry, since its cache may be empty.
 */
export async function install(folder, packed) {
  await run("npm", ["install", "--prefer-offline", "--omit=dev", "--no-audit", "--no-fund", ...(packed ? [packed] : [])], { cwd: folder });
  return path.join(folder, "node_modules/cloudflare-isr");
}

/**
 * Runs Workers by `wrangler dev` until the end of the test. Returns a function that visits them.
 * @param {import("node:test").TestContext} t
 * @param {string} cwd
 * @param {string[]} configurations
 */
export async function dev(t, cwd, configurations) {
  const args = ["dev", ...configurations.flatMap((file) => ["-c", file]), "--show-interactive-dev-session=false"];
  const server = await Server.start(wrangler, args, { cwd, folder: await newFolder() });
  t.after(() => server.kill());
  return (pathAndQuery, init) => visit(server, pathAndQuery, init);
}

/** Visits a page, and returns the parts of the answer that tests look at. */
export async function visit(server, pathAndQuery, init) {
  const response = await server.fetch(pathAndQuery, init);
  return { status: response.status, headers: response.headers, isr: response.headers.get("x-isr-status"), text: await response.text() };
}
