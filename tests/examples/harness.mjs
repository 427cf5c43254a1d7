/**
 * Runs an example as its README says, `npm start`: the built site, the gateway and the posts in wrangler's local runtime.
 *
 * `cargo xtask test --examples` has installed and built it. Each run has a port and a folder of state of its own.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const root = path.resolve(import.meta.dirname, "../..");

/** The tokens that `npm start` gives the gateway. They are for this machine alone, and so no secret. */
export const adminToken = "admin-token-of-the-example";
export const bypassToken = "draft-token-of-the-example";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** An example that runs. */
export class Example {
  #process;
  #folder;
  #output = "";

  /**
   * Starts `examples/<name>`, and waits until it listens. Nothing has been asked of it then.
   * @param {string} name
   * @param {string} [script] of its package.json
   */
  static async start(name, script = "start") {
    const example = new Example();
    const port = await freePort();
    example.origin = `http://localhost:${port}`;
    example.#folder = await mkdtemp(path.join(tmpdir(), `isr-example-${name}-`));
    const options = ["--port", String(port), "--persist-to", example.#folder, "--show-interactive-dev-session=false"];
    // In a group of its own: npm, wrangler and the runtime end together.
    example.#process = spawn("npm", ["run", script, "--", ...options], {
      cwd: path.join(root, "examples", name),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_SEND_ERROR_REPORTS: "false", WRANGLER_HIDE_BANNER: "true" },
    });
    for (const stream of [example.#process.stdout, example.#process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (example.#output += text));
    }
    try {
      await until("the example listens", () => {
        assert.equal(example.#process.exitCode, null, example.#output);
        return example.#output.includes("Ready on");
      }, { timeout: 120_000 });
    } catch (error) {
      await example.stop();
      throw new Error(`${error.message}\n${example.#output}`, { cause: error });
    }
    return example;
  }

  /** What wrangler and the Workers have printed. */
  get output() {
    return this.#output;
  }

  /** Ends all its processes, and removes its state. */
  async stop() {
    try {
      process.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // All have ended.
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Asks for a path, as a visitor. Redirects are not followed. */
  async fetch(pathAndQuery, init = {}) {
    const response = await fetch(this.origin + pathAndQuery, { redirect: "manual", signal: AbortSignal.timeout(30_000), ...init });
    return new Answer(response.status, response.headers, await response.text());
  }

  /** Asks for a page until `X-ISR-Status` is this, and returns that answer. */
  untilStatus(pathAndQuery, status) {
    return until(`${status} for ${pathAndQuery}`, async () => {
      const answer = await this.fetch(pathAndQuery);
      return answer.isr === status && answer;
    });
  }

  /** Sends JSON. */
  post(pathAndQuery, body) {
    // A form of another site could not send this type: frameworks look at it, and at the origin.
    const headers = { "content-type": "application/json", origin: this.origin };
    return this.fetch(pathAndQuery, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });
  }

  /** Has the site's own route revalidate, and returns the receipts. */
  async revalidate(what) {
    const answer = await this.post("/api/revalidate", what);
    assert.equal(answer.status, 200, answer.text);
    const { revalidated, receipts } = answer.json;
    assert.equal(revalidated, true);
    return receipts;
  }

  /** Returns what the gateway knows of the only page at a path. */
  async inspect(pathname) {
    const headers = { authorization: `Bearer ${adminToken}` };
    const answer = await this.fetch(`/__isr/inspect?path=${encodeURIComponent(pathname)}`, { headers });
    assert.equal(answer.status, 200, answer.text);
    const { route, entries } = answer.json;
    assert.equal(entries.length, 1, answer.text);
    return { route, ...entries[0] };
  }
}

/** An answer that has been read to its end. */
class Answer {
  constructor(status, headers, text) {
    Object.assign(this, { status, headers, text });
    /** `X-ISR-Status`. */
    this.isr = headers.get("x-isr-status");
  }

  get json() {
    return JSON.parse(this.text);
  }

  /** When the page was rendered, as it says itself. */
  get renderedAt() {
    const time = /<time\b[^>]*\bdatetime="([^"]+)"/.exec(this.text)?.[1];
    assert.ok(this.text.includes("data-rendered-at") && time, `no time of render in\n${this.text}`);
    const millis = Date.parse(time);
    assert.ok(millis > 0, `${time} is no time`);
    return millis;
  }

  /** Which page it is, by its `<main data-page>`. */
  get page() {
    return /<main\b[^>]*\bdata-page="([^"]+)"/.exec(this.text)?.[1];
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
