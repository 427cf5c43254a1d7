/**
 * Programs that serve the local runtime on a port: `wrangler dev` itself, or a program that starts it.
 *
 * Each runs in its own process group, so that all of it can be ended. The system picks the port, and wrangler keeps its
 * logs and its registry of running Workers in the folder of the run: runs share nothing, whether earlier or parallel.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The environment of a program that may start npm or wrangler and keeps its state in `folder`. */
export function environment(folder) {
  return {
    ...process.env,
    NPM_CONFIG_UPDATE_NOTIFIER: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_LOG_PATH: path.join(folder, "wrangler-logs"),
    WRANGLER_REGISTRY_PATH: path.join(folder, "wrangler-registry"),
    XDG_CONFIG_HOME: path.join(folder, "config"),
  };
}

/** A program that listens. */
export class Server {
  #process;
  #output = "";

  /** Where it listens: scheme, host and port. */
  origin;

  /**
   * Starts a program and waits until wrangler says where it listens. `--port 0` is added to the arguments.
   * @param {string} program
   * @param {string[]} args
   * @param {{ cwd: string, folder: string, timeout?: number }} options `folder` is for its state
   */
  static async start(program, args, { cwd, folder, timeout = 120_000 }) {
    const server = new Server();
    server.#process = spawn(program, [...args, "--port", "0"], {
      cwd, env: environment(folder), detached: true, stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [server.#process.stdout, server.#process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (server.#output += text));
    }
    try {
      server.origin = await until("wrangler is ready", () => {
        assert.equal(server.#process.exitCode, null, "the program has ended");
        return /Ready on (http:\/\/[^\s]+)/.exec(server.#output)?.[1];
      }, { timeout, every: 100 });
    } catch (error) {
      server.kill();
      throw new Error(`${error.message}\n${server.#output}`, { cause: error });
    }
    return server;
  }

  /** Everything that its processes have printed. */
  get output() {
    return this.#output;
  }

  /** The id of its process group. */
  get group() {
    return this.#process.pid;
  }

  /** Sends a request without following redirects. */
  async fetch(pathAndQuery, init = {}) {
    return fetch(this.origin + pathAndQuery, { redirect: "manual", signal: AbortSignal.timeout(30_000), ...init });
  }

  /** Sends all its processes what Ctrl-C sends, and waits until the first of them has ended. */
  async interrupt() {
    process.kill(-this.group, "SIGINT");
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
  }

  /** Ends all its processes at once. */
  kill() {
    try {
      process.kill(-this.group, "SIGKILL");
    } catch {
      // All have ended.
    }
  }
}

/** Asks again and again until there is an answer that is not false, and returns it. */
export async function until(what, ask, { timeout = 10_000, every = 50 } = {}) {
  const deadline = performance.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(performance.now() < deadline, `${what}: not within ${timeout} ms`);
    await sleep(every);
  }
}
