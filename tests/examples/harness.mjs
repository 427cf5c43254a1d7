/**
 * Runs an example as in its README, with `npm start`: the built site, the gateway and the posts in wrangler's local
 * runtime.
 *
 * `cargo xtask test --examples` has installed and built it. Each run has its own port and its own folder of state.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { Server, until } from "../server.mjs";

export const root = path.resolve(import.meta.dirname, "../..");

/** The tokens that `npm start` gives the gateway. They are for this machine alone, and so no secret. */
export const adminToken = "admin-token-of-the-example";
export const bypassToken = "draft-token-of-the-example";

/** An example that runs. */
export class Example {
  #server;
  #folder;

  /**
   * Starts `examples/<name>`, and waits until it listens. Nothing has been asked of it then.
   * @param {string} name
   * @param {string} [script] of its package.json
   */
  static async start(name, script = "start") {
    const example = new Example();
    example.#folder = await mkdtemp(path.join(tmpdir(), `isr-example-${name}-`));
    const args = ["run", script, "--", "--persist-to", example.#folder, "--show-interactive-dev-session=false"];
    const cwd = path.join(root, "examples", name);
    example.#server = await Server.start("npm", args, { cwd, folder: example.#folder });
    return example;
  }

  /** Where it listens. */
  get origin() {
    return this.#server.origin;
  }

  /** Everything that wrangler and the Workers have printed. */
  get output() {
    return this.#server.output;
  }

  /** Ends all its processes, and removes its state. */
  async stop() {
    this.#server.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Asks for a path, as a visitor. Redirects are not followed. */
  async fetch(pathAndQuery, init = {}) {
    const response = await this.#server.fetch(pathAndQuery, init);
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

  /** The time of the render that the page shows. */
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

export { until };
