/** Recent invalidations, with progress bars. */
import { type Invalidation, ask } from "./api.js";
import { element, make, say } from "./dom.js";
import { ago, count, targetOf } from "./words.js";

/** The most invalidations whose progress is asked for, page by page. */
const FOLLOWED = 5;

/** Returns how much is done, how much there is, and both in words. */
function progressOf({ shards, pages, sinks = {}, refresh, mode }: Invalidation): { done: number; all: number; words: string } {
  const { refreshed = 0, failed = 0, pending = 0 } = pages;
  const caches = Object.values(sinks);
  const cachesDone = caches.filter((state) => state === "done").length;
  const parts = [`${shards.applied} of ${count(shards.applied + shards.pending, "coordinator")}`];
  if (refreshed + failed + pending > 0) {
    const verb = mode === "purge" ? "deleted" : refresh === "eager" ? "rendered" : "processed";
    parts.push(`${refreshed} of ${count(refreshed + failed + pending, "page")} ${verb}${failed > 0 ? `, ${failed} failed` : ""}`);
  }
  if (caches.length > 0) parts.push(`${cachesDone} of ${count(caches.length, "downstream cache")}`);
  return {
    done: shards.applied + refreshed + failed + cachesDone,
    all: shards.applied + shards.pending + refreshed + failed + pending + caches.length,
    words: parts.join("; "),
  };
}

/** The list. What is not done, and what was recorded here, is followed page by page. */
export class Invalidations {
  readonly #own = new Set<number>();
  readonly #items = new Map<number, ReturnType<typeof item>>();

  /** Follows new invalidations. */
  follow(seqs: number[]): void {
    for (const seq of seqs) this.#own.add(seq);
  }

  async refresh(recent: Invalidation[], now: number): Promise<void> {
    const followed = recent.filter(({ seq, shards }) => this.#own.has(seq) || shards.pending > 0).slice(0, FOLLOWED);
    const answers = await Promise.all(followed.map(async (one) => ({ ...one, ...(await ask<Invalidation>(`invalidations/${one.seq}`)) })));
    const details = new Map(answers.map((answer) => [answer.seq, answer]));
    const list = element("invalidation-list");
    const shown = recent.map((one) => details.get(one.seq) ?? one);
    for (const one of shown) {
      const found = this.#items.get(one.seq) ?? item();
      this.#items.set(one.seq, found);
      const { done, all, words } = progressOf(one);
      const isDone = done >= all;
      found.title.textContent = `${targetOf(one)} (${one.mode}${one.refresh === "eager" ? ", eager" : ""})`;
      found.note.textContent = `Number ${one.seq}, ${ago(one.at ?? null, now)}: ${isDone ? "done" : "in progress"}, ${words}.`;
      found.bar.max = Math.max(all, 1);
      found.bar.value = all === 0 ? 1 : done;
      found.bar.setAttribute("aria-label", `Progress of invalidation ${one.seq}`);
      if (isDone && this.#own.delete(one.seq)) say("invalidation-result", `Number ${one.seq} is done: ${words}.`, "done");
    }
    const items = shown.map(({ seq }) => this.#items.get(seq)?.line).filter((line) => line !== undefined);
    for (const [seq] of this.#items) if (!shown.some((one) => one.seq === seq)) this.#items.delete(seq);
    if (items.length === 0) list.replaceChildren(make("li", { class: "empty", text: "Nothing was invalidated yet." }));
    else if (items.some((line, at) => list.children[at] !== line) || list.children.length !== items.length) list.replaceChildren(...items);
  }
}

function item() {
  const title = make("strong");
  const bar = make("progress");
  const note = make("span", { class: "note" });
  return { title, bar, note, line: make("li", {}, title, bar, note) };
}
