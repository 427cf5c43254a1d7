/**
 * The programs of a site: servers that run in a folder of their own, on free ports of this machine, and end with the test.
 *
 * Those of Debian's packages are unpacked in a folder, which `cargo xtask test --sites` names, with their libraries.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";

import { until } from "../server.mjs";

/** The host that visitors of every site ask for, directly and through the gateway. */
export const host = "site.test";

/** The folder of the tests of sites. */
export const here = import.meta.dirname;

/** Servers that are started by root want to be told to stay root. */
export const isRoot = process.getuid?.() === 0;

const running = [];
const folders = [];

after(async () => {
  // Those that were started last need the others.
  for (const program of running.reverse()) await end(program);
  for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Returns a variable that `cargo xtask test --sites` sets. */
export function variable(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run \`cargo xtask test --sites\``);
  return value;
}

/** Returns a file or folder of the unpacked packages, or the system's if the package is installed there. */
export async function debian(relative) {
  for (const file of [path.join(variable("ISR_SITES_DEBIAN"), relative), path.join("/", relative)]) {
    if (await access(file).then(() => true, () => false)) return file;
  }
  throw new Error(`no package has ${relative}`);
}

/** The environment of unpacked programs. */
export function debianEnvironment() {
  return { ...process.env, LD_LIBRARY_PATH: variable("ISR_SITES_LIBRARY_PATH") };
}

/** Makes a folder for the state of a site. Its path is short, because sockets lie in it. */
export async function siteFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), "isr-site-"));
  folders.push(folder);
  return folder;
}

/** Runs a program to its end, and returns what it prints. */
export async function run(program, args, options = {}) {
  try {
    const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 1e8, timeout: 180_000, ...options });
    return stdout;
  } catch (error) {
    throw new Error(`${error.message}\n${error.stdout.slice(-2000)}\n${error.stderr.slice(-2000)}`, { cause: error });
  }
}

/**
 * Starts a program, and waits until it accepts connections.
 * @param {string} program
 * @param {string[]} args
 * @param {{ port?: number, socket?: string, env?: object, cwd?: string }} options where it listens, and how it is started
 */
export async function serve(program, args, { port, socket, ...options }) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output = (output + text).slice(-100_000)));
  running.push(child);
  const where = socket === undefined ? { host: "127.0.0.1", port } : { path: socket };
  await until(`${path.basename(program)} listens`, () => {
    assert.equal(child.exitCode, null, `${program} has ended:\n${output}`);
    return connects(where);
  }, { timeout: 60_000, every: 100 });
  return { get output() { return output; } };
}

/** Returns a port that is free now. */
export async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function connects(where) {
  return new Promise((resolve) => {
    const socket = net.connect(where, () => socket.end(() => resolve(true)));
    socket.on("error", () => resolve(false));
  });
}

/** Ends a program with all that it has started, gently first: databases close their files. */
async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGTERM");
  const timer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), 5_000);
  await ended;
  clearTimeout(timer);
}
