// The runtime with the Worker that drives objects (`coordinator/driver.mjs`).

import { heapBytes } from "../inspector.mjs";
import { ADMIN_TOKEN, MOST_OBJECTS, residentBytes, startObjects } from "./runtime.mjs";

/** The bytes of a page, where nothing else is said. */
export const BYTES = 1024;

/** Names a coordinator object: each has a route of its own. */
export function shard(route, number) {
  if (number >= MOST_OBJECTS) throw new RangeError(`there are routes for ${MOST_OBJECTS} objects only`);
  return `/${route}${number}/[bytes]/[name]#0`;
}

/** Names a page of the object of that number. A page whose name begins with `tagged` has two tags. */
export const key = (route, number, name, bytes = BYTES) => `https://bench.example/${route}${number}/${bytes}/${name}`;

export class Objects {
  #runtime;

  static async start(options) {
    return new Objects(await startObjects(options));
  }

  constructor(runtime) {
    this.#runtime = runtime;
  }

  stop() {
    return this.#runtime.dispose();
  }

  /** Sends events and waits for their answers. */
  async send(job) {
    return (await this.#post("driver", "/send", JSON.stringify(job))).json();
  }

  /** Has a bare object give the answer that the coordinator gives to an event. */
  async copy(job) {
    await this.#post("driver", "/copy", JSON.stringify(job));
  }

  /** Sends events whose answers wait. Returns once all of them wait; `end` waits for the answers. */
  async park(job) {
    const response = await this.#post("driver", "/park", JSON.stringify(job));
    const lines = linesOf(response.body);
    const line = async () => {
      const { value } = await lines.next();
      const said = value === undefined ? { error: "the driver broke off" } : JSON.parse(value);
      if (said.error) throw new Error(said.error);
      return said;
    };
    await line();
    return { end: line };
  }

  async letGo(key) {
    await this.#post("driver", "/go", key);
  }

  async hold(key) {
    await this.#post("site", "/hold", new URL(key).pathname);
  }

  async renders() {
    return (await this.#post("site", "/renders", "")).json();
  }

  /** Takes what an object of `counted.mjs` has counted since the last time. */
  async counts({ to, object }) {
    return (await this.#post("driver", "/call", JSON.stringify({ to, object, path: "/counts" }))).json();
  }

  /** Makes pages like one that an object has rendered. */
  async fill(object, like, paths) {
    const body = { like, origin: new URL(like).origin, paths };
    await this.#post("driver", "/call", JSON.stringify({ to: "counted", object, path: "/fill", body }));
  }

  /** Sends the counted gateway a request. */
  edge(path, init) {
    return fetch(`http://127.0.0.1:${this.#runtime.ports.counted}${path}`, init);
  }

  /** Takes what the counted gateway has counted since the last time, but for its objects. */
  async edgeCounts() {
    return (await this.edge("/counts")).json();
  }

  /** Has KV show the counted gateway nothing, or all that there is. */
  async hideKv(isHidden) {
    await this.edge("/kv-hidden", { method: "POST", body: JSON.stringify(isHidden) });
  }

  /** Invalidates through the counted gateway, and returns the receipt. */
  async invalidate(what) {
    const init = { method: "POST", headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, body: JSON.stringify(what) };
    const response = await this.edge("/__isr/revalidate", init);
    if (!response.ok) throw new Error(`an invalidation is answered with ${response.status}: ${await response.text()}`);
    return (await response.json()).invalidations[0];
  }

  /** Empties the cache of the counted gateway of pages. */
  async emptyCache(urls) {
    await this.#post("janitor", "/", JSON.stringify({ cache: "counted", urls }));
  }

  /** Returns the memory of a Worker: of its Wasm, if it is `counted`, of its heap, and of the process. */
  async memory(worker, object) {
    await heapBytes(this.#runtime.inspector, "driver");
    const heap = await heapBytes(this.#runtime.inspector, worker);
    const resident = residentBytes(this.#runtime.pids);
    const wasm = worker === "counted" ? (await this.counts({ to: "counted", object })).wasmBytes : 0;
    return { wasm, heap, resident };
  }

  async #post(worker, path, body) {
    const response = await fetch(`http://127.0.0.1:${this.#runtime.ports[worker]}${path}`, { method: "POST", body });
    if (!response.ok) throw new Error(`${worker} answers ${path} with ${response.status}: ${await response.text()}`);
    return response;
  }
}

async function* linesOf(stream) {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    yield* lines;
  }
}
