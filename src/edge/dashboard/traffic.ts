/** Requests by outcome and renders by result, from the counters of `/__isr/metrics`. */
import { metrics } from "./api.js";
import { Chart } from "./chart.js";
import { Growth, Minutes, type Samples, isComplete, samplesOf, sumBy } from "./counters.js";
import { element, say } from "./dom.js";
import { count, percent } from "./words.js";

/** How many minutes are kept. */
const KEPT = 180;

/** How often the counters are asked for, in milliseconds. Isolates and objects report theirs once a minute. */
const EVERY = 15_000;

const OUTCOMES = ["HIT", "STALE", "MISS", "SKIP", "BYPASS"];

/** Results of renders that are failures of the origin begin with this. */
const FAILED = "failed-";

/** Failures come last, because the third line is the red one. */
const RESULTS = ["rendered", "other", "failed"];

/** Sums up renders: those that made a page, those in which the origin failed, and all others. */
function byKind(samples: Samples): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const [result, value] of sumBy(samples, "isr_renders_total", "result")) {
    const kind = result === "done" ? "rendered" : result.startsWith(FAILED) ? "failed" : "other";
    kinds.set(kind, (kinds.get(kind) ?? 0) + value);
  }
  return kinds;
}

const total = (sums: Map<string, number>) => [...sums.values()].reduce((sum, value) => sum + value, 0);
const hits = (sums: Map<string, number>) => (sums.get("HIT") ?? 0) + (sums.get("STALE") ?? 0);

/** The section with the charts, and the tile with the hit ratio. */
export class Traffic {
  readonly #growth = new Growth();
  readonly #outcomes = new Minutes(OUTCOMES, KEPT);
  readonly #renders = new Minutes(RESULTS, KEPT);
  readonly #charts = [
    new Chart("chart-outcomes", this.#outcomes, OUTCOMES, "Requests"),
    new Chart("chart-renders", this.#renders, RESULTS, "Renders"),
  ];
  #nextAt = 0;

  /** Asks for the counters, if it is time. */
  async refresh(): Promise<void> {
    if (Date.now() < this.#nextAt) return;
    const samples = samplesOf(await metrics());
    this.#nextAt = Date.now() + EVERY;
    const grown = this.#growth.take(samples, isComplete(samples));
    this.#outcomes.add(Date.now(), sumBy(grown, "isr_requests_total", "outcome"));
    this.#renders.add(Date.now(), byKind(grown));
    for (const chart of this.#charts) chart.update();
    this.#showRatio(sumBy(samples, "isr_requests_total", "outcome"));
    this.#showBounds(samples);
  }

  #showRatio(all: Map<string, number>): void {
    const [hit = 0, stale = 0, ...others] = this.#outcomes.totals;
    const seen = others.reduce((sum, value) => sum + value, hit + stale);
    element("hit-ratio").textContent = seen > 0 ? percent(hit + stale, seen) : percent(hits(all), total(all));
    const since = seen > 0 ? `of ${count(seen, "request")} since this page was opened` : `of ${count(total(all), "request")} in all`;
    element("hit-ratio-of").textContent = total(all) === 0 ? "no request is counted yet" : since;
  }

  #showBounds(samples: Samples): void {
    const [known = 0, asked = 0, answered = 0] = ["known", "asked", "answered"].map((word) => samples.get(`isr_coordinators_${word}`) ?? 0);
    const bounds = known > asked ? ` Renders are those of ${asked} of ${known} coordinators.` : "";
    const missing = answered < asked ? ` ${count(asked - answered, "coordinator")} did not answer.` : "";
    say("traffic-note", `Since this page was opened. Numbers of a minute appear one to three minutes later.${bounds}${missing}`);
  }
}
