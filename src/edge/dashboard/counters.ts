/** Counters of `/__isr/metrics`, and how much they have grown since the dashboard was opened. */

/** The values of a scrape, by the name of the metric with its labels, as the answer writes them. */
export type Samples = Map<string, number>;

/** Reads the text format of Prometheus, 0.0.4. A line that can't be read is left out. */
export function samplesOf(text: string): Samples {
  const samples: Samples = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const at = line.lastIndexOf(" ");
    const value = Number(line.slice(at + 1));
    if (at > 0 && !Number.isNaN(value)) samples.set(line.slice(0, at), value);
  }
  return samples;
}

/** Returns the value of a label in the name of a sample; the values of these labels contain no escapes. */
export function labelOf(name: string, label: string): string | undefined {
  const begin = `${label}="`;
  const at = Math.max(name.indexOf(`{${begin}`), name.indexOf(`,${begin}`));
  if (at < 0) return undefined;
  const from = at + 1 + begin.length;
  const to = name.indexOf('"', from);
  return to < 0 ? undefined : name.slice(from, to);
}

/** Sums up a metric by the value of a label. */
export function sumBy(samples: Samples, metric: string, label: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, value] of samples) {
    if (!name.startsWith(`${metric}{`)) continue;
    const key = labelOf(name, label);
    if (key !== undefined) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

/** Returns whether every object that was asked has answered. */
export function isComplete(samples: Samples): boolean {
  const all = (asked: string, answered: string) => samples.get(asked) === samples.get(answered);
  return all("isr_tag_indexes_asked", "isr_tag_indexes_answered") && all("isr_coordinators_asked", "isr_coordinators_answered");
}

/**
 * How much counters have grown from one scrape to the next.
 *
 * An object that did not answer is missing in a scrape. Its counters go on when it answers again, so the last known value of each is
 * kept. A counter that is new counts from 0, but only if no object was missing until now: otherwise it may be an old one that is seen
 * for the first time.
 */
export class Growth {
  readonly #last: Samples = new Map();
  #isComplete = false;
  #hasBegun = false;

  /** Takes a scrape, and returns the growth of each counter since the last one. `isComplete` says whether every object has answered. */
  take(samples: Samples, isComplete: boolean): Samples {
    const grown: Samples = new Map();
    for (const [name, value] of samples) {
      const before = this.#last.get(name) ?? (this.#hasBegun && this.#isComplete ? 0 : value);
      // A counter that goes back is another one: the objects were removed.
      if (value > before) grown.set(name, value - before);
      this.#last.set(name, value);
    }
    this.#isComplete ||= isComplete;
    this.#hasBegun = true;
    return grown;
  }
}

/** Values by minute: for each minute one value for each of `names`. It keeps the last `most` minutes. */
export class Minutes {
  readonly names: readonly string[];
  readonly #most: number;
  readonly #minutes: { at: number; values: number[] }[] = [];

  constructor(names: readonly string[], most: number) {
    this.names = names;
    this.#most = most;
  }

  /** Adds values to the minute of a time, in milliseconds. A minute without values counts as zero. */
  add(now: number, values: ReadonlyMap<string, number>): void {
    const minute = Math.floor(now / 60_000) * 60;
    let last = this.#minutes.at(-1);
    if (last !== undefined && minute < last.at) return;
    // After a long pause there is a gap of `most` minutes at most.
    let next = last === undefined ? minute : Math.max(last.at + 60, minute - 60 * this.#most);
    for (; next <= minute; next += 60) {
      last = { at: next, values: this.names.map(() => 0) };
      this.#minutes.push(last);
    }
    for (const [at, name] of this.names.entries()) {
      const { values: sums } = last as { values: number[] };
      sums[at] = (sums[at] ?? 0) + (values.get(name) ?? 0);
    }
    this.#minutes.splice(0, this.#minutes.length - this.#most);
  }

  /** Times in seconds, then the values of each name. */
  get columns(): number[][] {
    return [this.#minutes.map(({ at }) => at), ...this.names.map((_, index) => this.#minutes.map(({ values }) => values[index] ?? 0))];
  }

  /** The sum of each name. */
  get totals(): number[] {
    return this.names.map((_, index) => this.#minutes.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
  }
}
