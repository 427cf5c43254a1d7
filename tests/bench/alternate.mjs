// Measures targets in turn, to compare them.

import { cpuSeconds } from "./runtime.mjs";
import { median, quantile } from "./stats.mjs";

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {(round: number) => Promise<unknown>} [before] What is not measured.
 * @property {(round: number) => Promise<Measured>} run
 *
 * @typedef {object} Measured
 * @property {number} requests
 * @property {number} seconds
 * @property {Float64Array} [latencies] In milliseconds.
 * @property {number} [more] Requests that were made while the clock did not run: they have used the processor as well.
 */

/**
 * Measures targets in turn, again and again, so that what else the machine does meets all of them alike; each time in
 * another order, so that none has always the same one before it.
 *
 * @param {{ label: string, rounds: number, progress: (message: string) => void, targets: Target[], baseline: string }} what
 */
export async function alternate({ label, rounds, progress, targets, baseline }) {
  const measured = Object.fromEntries(targets.map(({ name }) => [name, []]));
  // The first round warms up: the runtime compiles, connections open.
  for (let round = 0; round <= rounds; round++) {
    progress(round === 0 ? `${label}: warming up` : `${label}: round ${round} of ${rounds}`);
    for (const { name, before, run } of shuffled(targets)) {
      await before?.(round);
      const cpu = cpuSeconds();
      const { requests, seconds, latencies, more = 0 } = await run(round);
      const cpuMicros = cpu === undefined ? undefined : ((cpuSeconds() - cpu) / (requests + more)) * 1e6;
      if (round === 0) continue;
      const [p50, p99] = latencies ? [quantile(latencies, 0.5), quantile(latencies, 0.99)] : [];
      measured[name].push({ requests, perSecond: requests / seconds, p50, p99, cpuMicros });
    }
  }
  const summaries = Object.entries(measured).map(([name, all]) => [name, summary(all, measured[baseline])]);
  return { label, targets: Object.fromEntries(summaries), rounds: measured };
}

function shuffled(list) {
  const lots = list.map((entry) => ({ entry, lot: Math.random() }));
  return lots.sort((a, b) => a.lot - b.lot).map(({ entry }) => entry);
}

/** Medians over the rounds; the ratios are medians of each round's own ratio to the baseline in that round. */
function summary(rounds, baseline) {
  const of = (field) => median(rounds.map((round) => round[field]));
  const ratio = (field) => median(rounds.map((round, index) => round[field] / baseline[index][field]));
  return {
    perSecond: of("perSecond"),
    p50: of("p50"),
    p99: of("p99"),
    cpuMicros: of("cpuMicros"),
    ratio: ratio("perSecond"),
    cpuRatio: ratio("cpuMicros"),
  };
}
