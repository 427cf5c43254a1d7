/** Programs that tests start: as from a terminal, in a group of their own, so that all of it can be ended. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import { promisify } from "node:util";

import { root, until } from "./harness.mjs";

const environment = {
  ...process.env,
  NPM_CONFIG_UPDATE_NOTIFIER: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
};

/** Wrangler, which is not installed again for each test. */
export const wrangler = path.join(root, "node_modules/.bin/wrangler");

/** Runs a program to its end, and returns what it has said. It fails with that if the program does. */
export async function run(program, args, { cwd = root } = {}) {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd, env: environment, maxBuffer: 10_000_000 });
    return { stdout, stderr };
  } catch (error) {
    assert.fail(`${path.basename(program)} ${args.join(" ")}: ${error.message}\n${error.stdout}${error.stderr}`);
  }
}

/** Makes a folder one in which `cloudflare-isr` is installed, from the packed file as from a registry, and returns its path there. */
export async function install(folder, packed) {
  await run("npm", ["install", "--offline", "--omit=dev", "--no-audit", "--no-fund", ...(packed ? [packed] : [])], { cwd: folder });
  return path.join(folder, "node_modules/cloudflare-isr");
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/**
 * Runs Workers by `wrangler dev` until the end of the test. Returns a function that visits them.
 * @param {import("node:test").TestContext} t
 * @param {string} cwd
 * @param {string[]} configurations
 */
export async function dev(t, cwd, configurations) {
  const port = await freePort();
  const args = ["dev", ...configurations.flatMap((file) => ["-c", file]), "--port", String(port), "--show-interactive-dev-session=false"];
  const child = spawn(wrangler, args, { cwd, env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // All have ended.
    }
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  await until("wrangler is ready", () => {
    assert.equal(child.exitCode, null, output);
    return output.includes("Ready on");
  }, { timeout: 120_000, every: 100 });
  return async (pathAndQuery, init) => {
    const response = await fetch(`http://localhost:${port}${pathAndQuery}`, { redirect: "manual", signal: AbortSignal.timeout(30_000), ...init });
    return { status: response.status, headers: response.headers, isr: response.headers.get("x-isr-status"), text: await response.text() };
  };
}
