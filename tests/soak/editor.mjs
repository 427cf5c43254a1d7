/** Edits pages and invalidates them, and records what was promised. */
import { setTimeout as sleep } from "node:timers/promises";

import { BOUND_MILLIS } from "./runtime.mjs";

export class Editor {
  acknowledged = 0;
  /** Calls without an acknowledgement: during a fault of the tag index, or cut off by a kill. */
  failed = 0;
  /** The numbers of acknowledged invalidations. */
  numbers = [];
  #isOver = false;
  #site;
  #runtime;
  #faults;
  #visits;

  constructor(site, runtime, faults, visits) {
    this.#site = site;
    this.#runtime = runtime;
    this.#faults = faults;
    this.#visits = visits;
  }

  /** Edits until {@link stop}. */
  async run() {
    while (!this.#isOver) {
      await sleep(200 + Math.random() * 800);
      await this.#edit();
    }
  }

  stop() {
    this.#isOver = true;
  }

  async #edit() {
    const { pages, target } = Math.random() < 0.5 ? this.#onePage() : this.#oneTag();
    const mode = ["expire", "expire", "stale", "purge"][Math.floor(Math.random() * 4)];
    const promise = this.#site.edit(pages, mode);
    const began = Date.now();
    const { life } = this.#site;
    try {
      const { status, json } = await this.#runtime.admin("/__isr/revalidate", { body: { ...target, mode } });
      if (status !== 200) throw new Error(`${status}: ${JSON.stringify(json)}`);
      promise(Date.now(), BOUND_MILLIS);
      this.acknowledged += 1;
      this.numbers.push(...json.invalidations.map(({ seq }) => seq));
    } catch (error) {
      this.failed += 1;
      const isExplained = this.#site.life !== life || !this.#runtime.isUp || this.#faults.lasted("tagIndex", began);
      if (!isExplained) this.#visits.report("invalidation", `${JSON.stringify(target)}: ${error.message}`);
    }
  }

  #onePage() {
    const { list } = this.#site;
    const page = list[Math.floor(list.length * Math.random() ** 4)];
    return { pages: [page], target: { path: page.path } };
  }

  #oneTag() {
    const tags = [...this.#site.byTag.keys()];
    const tag = tags[Math.floor(Math.random() * tags.length)];
    return { pages: this.#site.byTag.get(tag), target: { tag } };
  }
}
