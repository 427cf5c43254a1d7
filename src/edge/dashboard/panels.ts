/** The sections that show answers as they are: figures, pages, tags, renders, decisions, an explanation. */
import {
  ApiError, type Checked, type Decision, type Decisions, type Explanation, type Health, type Leases, type Overview, type RankedPage, type Tags, ask,
} from "./api.js";
import { element, fill, make, say } from "./dom.js";
import { ago, count, date, number, shortKey, span, timeOfDay } from "./words.js";

/** The most decisions that are shown. */
const DECISIONS = 50;

/** The most tags and renders that are shown. */
const LISTED = 50;

export function showHealth({ healthy, problems }: Health): void {
  const mark = element("health");
  mark.textContent = healthy ? "✓ Healthy" : `⚠ ${count(problems.length, "problem")}`;
  mark.dataset["kind"] = healthy ? "done" : "error";
  element("problems").hidden = healthy;
  element("problem-list").replaceChildren(...problems.map(({ code, message }) => make("li", {}, make("code", { text: code }), ` ${message}`)));
}

export function showFigures({ totals }: Overview): void {
  const figures: [string, string, string][] = [
    ["pages", number(totals.keys), `${number(totals.pages.fresh)} fresh, ${number(totals.pages.stale)} stale, ${number(totals.pages.expired)} expired, ${number(totals.passing)} not cacheable`],
    ["renders", number(totals.renders), "running or queued"],
    ["failing", number(totals.failing), "pages whose last render failed"],
    ["breakers", number(totals.breaker.open + totals.breaker.halfOpen), `of ${count(totals.breaker.open + totals.breaker.halfOpen + totals.breaker.closed, "circuit breaker")} open`],
    ["l2", number(totals.l2.pending), `writes to L2 pending, ${number(totals.l2.failing)} refused`],
    ["tags-count", number(totals.tags), "registrations of tags"],
  ];
  for (const [id, value, note] of figures) {
    element(`figure-${id}`).textContent = value;
    element(`figure-${id}-note`).textContent = note;
  }
}

/** Says what the numbers leave out. */
export function showBounds({ checked, totals }: Overview, isFirst: boolean): void {
  const parts: string[] = [];
  if (checked.asked < checked.known || !isFirst) parts.push(`These are ${number(checked.asked)} of ${number(checked.known)} coordinators.`);
  if (checked.answered < checked.asked) parts.push(`${count(checked.asked - checked.answered, "coordinator")} did not answer.`);
  if (totals.uncounted > 0) parts.push(`${count(totals.uncounted, "coordinator")} ${totals.uncounted === 1 ? "has" : "have"} too many pages to count them now.`);
  if (checked.known === 0) parts.push("No page is cached yet.");
  say("overview-note", parts.join(" "));
}

export function showPages({ hottest, stalest, now }: Overview, explain: (url: string) => void): void {
  const button = (key: string) => make("button", { type: "button", class: "small", "aria-label": `Explain ${shortKey(key)}`, text: "Explain", on: { click: () => explain(key) } });
  const row = (page: RankedPage, figure: string) => ({ id: page.key, cells: [shortKey(page.key), figure, ago(page.renderedAt, now), button(page.key)] });
  fill("hottest", hottest.map((page) => row(page, number(page.heat))), "No visits are counted yet.");
  fill("stalest", stalest.map((page) => row(page, page.freshUntil === null ? "–" : span(now - page.freshUntil))), "No page is past its freshness lifetime.");
}

const missing = ({ asked, answered, known }: Checked) =>
  answered < asked ? ` ${count(asked - answered, "coordinator")} did not answer.` : known > asked ? ` These are ${asked} of ${known} coordinators.` : "";

export async function showLeases(now: number): Promise<void> {
  const { leases, total, checked } = await ask<Leases>("leases", { limit: LISTED });
  const purpose = (purpose: string) => (purpose === "cold" ? "a client waits" : "in the background");
  const row = ({ shard, key, purpose: why, attempt, beganAt }: Leases["leases"][number]) => ({
    id: `${shard} ${key}`,
    cells: [shortKey(key), span(now - beganAt), purpose(why), number(attempt + 1)],
  });
  fill("leases", leases.slice(0, LISTED).map(row), "Nothing is being rendered.");
  say("leases-note", `${count(total, "render")} running or queued.${missing(checked)}`);
}

/** The last decisions of all coordinators. */
export class DecisionLog {
  #after: string | undefined;
  #decisions: Decision[] = [];

  async refresh(): Promise<void> {
    const { decisions, after } = await ask<Decisions>("decisions", { after: this.#after, limit: this.#after === undefined ? DECISIONS : 200 });
    this.#after = after === "" ? undefined : after;
    const known = new Set(this.#decisions.map(({ shard, seq }) => `${seq}@${shard}`));
    this.#decisions = [...this.#decisions, ...decisions.filter(({ shard, seq }) => !known.has(`${seq}@${shard}`))].slice(-DECISIONS);
    const row = (decision: Decision) => ({
      id: `${decision.seq}@${decision.shard}`,
      cells: [make("time", { datetime: new Date(decision.at).toISOString(), title: date(decision.at), text: timeOfDay(decision.at) }), decision.kind, about(decision), why(decision)],
    });
    fill("decisions", this.#decisions.toReversed().map(row), "No decision was made yet, or the log is switched off.");
  }
}

const about = ({ key, pages, shard }: Decision) => (key !== null ? shortKey(key) : pages !== null ? count(pages, "page") : shard);
const why = ({ reason, detail, durationMs }: Decision) =>
  [reason, detail, durationMs === null ? null : `${number(durationMs)} ms`].filter((part) => part !== null).join(" · ") || "–";

/** The section of tags: a list by the beginning of their names. */
export class TagList {
  readonly #prefix = element<HTMLInputElement>("tag-prefix");
  readonly #invalidate: (tag: string) => void;
  #after: string | null = null;

  constructor(invalidate: (tag: string) => void, failed: (error: unknown) => void) {
    this.#invalidate = invalidate;
    const show = (after: string | null) => this.show(after).catch((error: unknown) => {
      say("tags-note", error instanceof ApiError ? `The tags could not be listed: ${error.message}.` : String(error), "error");
      failed(error);
    });
    element("tag-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void show(null);
    });
    element("tags-next").addEventListener("click", () => void show(this.#after));
  }

  async show(after: string | null): Promise<void> {
    const answer = await ask<Tags>("tags", { prefix: this.#prefix.value, after, limit: LISTED });
    this.#after = answer.after;
    const row = ({ tag, shards, lastInvalidation }: Tags["tags"][number]) => ({
      id: tag,
      cells: [
        tag,
        number(shards),
        lastInvalidation === null ? "never" : `${date(lastInvalidation.at)} (${lastInvalidation.mode})`,
        make("button", { type: "button", class: "small", "aria-label": `Invalidate tag ${tag}`, text: "Invalidate …", on: { click: () => this.#invalidate(tag) } }),
      ],
    });
    fill("tags", answer.tags.map(row), "No tag begins like this.");
    element("tags-next").hidden = answer.after === null;
    say("tags-note", `${count(answer.tags.length, "tag")}${answer.after === null ? "" : ", and more"}.`);
  }
}

/** The field that explains a page. */
export class Explain {
  readonly #url = element<HTMLInputElement>("explain-url");
  readonly #failed: (error: unknown) => void;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
    element("explain-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#explain();
    });
  }

  /** Explains a page, for a button elsewhere on the page. */
  of(key: string): void {
    // What follows `#` names a variant, and a URL of a request has no such part.
    this.#url.value = key.split("#")[0] ?? key;
    element("explain").scrollIntoView();
    this.#url.focus();
    void this.#explain();
  }

  async #explain(): Promise<void> {
    const text = this.#url.value.trim();
    const url = URL.canParse(text) ? text : URL.canParse(text, location.origin) ? new URL(text, location.origin).href : text;
    say("explanation", "Asking …");
    element("facts-part").hidden = true;
    try {
      const { explanation, facts } = await ask<Explanation>("explain", { url });
      say("explanation", explanation);
      element("facts").textContent = JSON.stringify(facts, null, 2);
      element("facts-part").hidden = false;
    } catch (error) {
      say("explanation", error instanceof ApiError ? `It failed: ${error.message}.` : String(error), "error");
      this.#failed(error);
    }
  }
}
