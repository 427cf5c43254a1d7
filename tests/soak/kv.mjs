/**
 * A KV namespace that lags, and that fails on demand. The colos see it as it was some seconds ago; the coordinators see
 * it at once. It lives in the process of the test, so it outlives each kill of the runtime, as the platform's does.
 */
import { Listener } from "./listener.mjs";

export class Kv {
  /** By name: the states in order, `{ at, value }`; a deletion has no value. Older ones than the lag are dropped. */
  #states = new Map();
  /** The fault under way: "refuses" writes, or "hangs" on reads and writes. */
  fault = undefined;
  writes = 0;
  reads = 0;
  #lagMillis;

  constructor(lagMillis) {
    this.#lagMillis = lagMillis;
  }

  listener = new Listener((request, response) => this.#answer(request, response));

  /** The number of names that have a value. */
  get size() {
    return [...this.#states.values()].filter((states) => states.at(-1).value !== undefined).length;
  }

  async #answer(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      // The runtime was killed.
      return;
    }
    const { searchParams } = new URL(request.url, "http://kv");
    const name = searchParams.get("name");
    // A read or write that hangs gets no response. The caller ends it after its own limit.
    if (this.fault === "hangs") return;
    if (request.method === "GET") {
      this.reads += 1;
      const value = this.#read(name, searchParams.has("late") ? this.#lagMillis : 0);
      response.writeHead(value === undefined ? 404 : 200).end(value);
      return;
    }
    if (this.fault === "refuses") return void response.writeHead(500).end();
    this.writes += 1;
    this.#write(name, request.method === "PUT" ? Buffer.concat(chunks) : undefined);
    response.writeHead(204).end();
  }

  #read(name, lagMillis) {
    const until = Date.now() - lagMillis;
    return this.#states.get(name)?.findLast(({ at }) => at <= until)?.value;
  }

  #write(name, value) {
    const states = this.#states.get(name) ?? [];
    const shown = states.findLastIndex(({ at }) => at <= Date.now() - this.#lagMillis);
    this.#states.set(name, [...states.slice(Math.max(shown, 0)), { at: Date.now(), value }]);
  }
}
