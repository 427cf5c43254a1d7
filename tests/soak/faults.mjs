/** The faults of the soak test: one at a time, in every layer, with rests in between. */
import { setTimeout as sleep } from "node:timers/promises";

/** Each fault with its layer, how it begins and how it ends. `share`: of the pages, for faults of the origin. */
const FAULTS = [
  { layer: "origin", kind: "errs", share: 0.02 },
  { layer: "origin", kind: "overloaded", share: 0.02 },
  { layer: "origin", kind: "hangs", share: 0.005 },
  { layer: "origin", kind: "breaks", share: 0.02 },
  { layer: "originDown", kind: "refuses", share: 1 },
  { layer: "originDown", kind: "errs", share: 1 },
  { layer: "kv", kind: "refuses" },
  { layer: "kv", kind: "hangs" },
  { layer: "tagIndex", kind: "throws" },
  { layer: "tagIndex", kind: "hangs" },
  { layer: "coordinator", kind: "throws" },
  { layer: "coordinator", kind: "hangs" },
];

export class Faults {
  /** How often each fault has begun. */
  begun = new Map();
  /** When each layer last had a fault, in milliseconds. */
  #last = new Map();
  #current = undefined;
  #isOver = false;
  #site;
  #kv;
  #runtime;
  /** How long a response may take while a layer hangs. */
  latencyMillis = 10_000;

  constructor(site, kv, runtime) {
    this.#site = site;
    this.#kv = kv;
    this.#runtime = runtime;
  }

  /** The fault under way: "kv hangs". */
  get current() {
    return this.#current && `${this.#current.layer} ${this.#current.kind}`;
  }

  /** Returns whether a layer had a fault at `since` or later. */
  lasted(layer, since) {
    if (this.#current?.layer === layer) return true;
    return (this.#last.get(layer) ?? -Infinity) >= since;
  }

  /** Runs faults, in a new random order each time, until {@link stop}. */
  async run() {
    while (!this.#isOver) {
      for (const fault of shuffled(FAULTS)) {
        await this.#pause(4000 + Math.random() * 4000);
        if (this.#isOver) break;
        await this.#set(fault);
        await this.#pause(2000 + Math.random() * 4000);
        await this.#set(undefined);
      }
    }
  }

  async #pause(millis) {
    const end = Date.now() + millis;
    while (Date.now() < end && !this.#isOver) await sleep(100);
  }

  async #set(fault) {
    if (this.#current) this.#last.set(this.#current.layer, Date.now());
    this.#current = fault;
    if (fault) this.begun.set(this.current, (this.begun.get(this.current) ?? 0) + 1);
    await this.restore();
  }

  /** Applies the fault under way. A runtime that was started again knows nothing of it. */
  async restore() {
    const { layer, kind, share } = this.#current ?? {};
    const salt = Math.floor(Math.random() * 1e6);
    const isOrigin = layer === "origin" || layer === "originDown";
    this.#site.fault = isOrigin ? { kind, hits: (page) => share === 1 || hash(page.path, salt) < share } : undefined;
    this.#kv.fault = layer === "kv" ? kind : undefined;
    try {
      await this.#runtime.fail({ [layer]: layer === "tagIndex" || layer === "coordinator" ? kind : undefined });
    } catch {
      // The runtime is down; it begins without faults.
    }
  }

  async stop() {
    this.#isOver = true;
    await this.#set(undefined);
  }
}

function shuffled(list) {
  return list.map((one) => [Math.random(), one]).sort(([a], [b]) => a - b).map(([, one]) => one);
}

/** Returns a number from 0 to 1 that depends on a text and a salt. */
function hash(text, salt) {
  let sum = salt;
  for (const character of text) sum = (Math.imul(sum, 31) + character.charCodeAt(0)) >>> 0;
  return (Math.imul(sum, 2_654_435_761) >>> 0) / 2 ** 32;
}
