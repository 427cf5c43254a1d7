/** What an entry costs besides its texts, in UTF-16 code units: the entry itself, and its places in the maps. */
const OVERHEAD = 100;

/** A value that knows how many UTF-16 code units it holds. */
export interface Measured {
  readonly length: number;
}

/** Returns what an entry costs. */
function costOf(key: string, value: Measured): number {
  return OVERHEAD + key.length + value.length;
}

/**
 * A memory with a bound for what it holds, in UTF-16 code units. A flood of keys that are used once, such as made-up URLs, does not empty it:
 * a new entry is on probation, in an eighth of the room, and only entries that are used again enter the rest. The rest has two generations.
 * An entry that is used moves to the young one. When that is full, it becomes the old one, and what was not used since is forgotten.
 *
 * A look-up of an entry that is used often costs one look-up in a `Map`.
 */
export class Memory<Value extends Measured> {
  readonly #most: number;
  #young = new Map<string, Value>();
  #youngCost = 0;
  #old = new Map<string, Value>();
  readonly #probation = new Map<string, Value>();
  #probationCost = 0;

  /** @param bound the most UTF-16 code units */
  constructor(bound: number) {
    this.#most = bound / 8;
  }

  get(key: string): Value | undefined {
    const value = this.#young.get(key);
    return value === undefined ? this.#getOther(key) : value;
  }

  #getOther(key: string): Value | undefined {
    const old = this.#old.get(key);
    const value = old ?? this.#probation.get(key);
    if (value === undefined) return undefined;
    if (old === undefined) this.#release(key, value);
    this.#keep(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    const present = this.#young.get(key);
    if (present !== undefined || this.#old.has(key)) {
      if (present !== undefined) this.#youngCost -= costOf(key, present);
      this.#keep(key, value);
      return;
    }
    const onProbation = this.#probation.get(key);
    if (onProbation !== undefined) this.#release(key, onProbation);
    const cost = costOf(key, value);
    if (cost > this.#most) return;
    this.#probation.set(key, value);
    this.#probationCost += cost;
    for (const [oldest, entry] of this.#probation) {
      if (this.#probationCost <= this.#most) break;
      this.#release(oldest, entry);
    }
  }

  /** Removes an entry from probation. */
  #release(key: string, value: Value): void {
    this.#probation.delete(key);
    this.#probationCost -= costOf(key, value);
  }

  /** Adds an entry to the young generation, or replaces it there. */
  #keep(key: string, value: Value): void {
    const cost = costOf(key, value);
    if (this.#youngCost + cost > 3 * this.#most) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngCost = 0;
      // A generation that is replaced must not keep the value from before.
      this.#old.delete(key);
    }
    if (cost > 3 * this.#most) {
      this.#young.delete(key);
      this.#old.delete(key);
      return;
    }
    this.#young.set(key, value);
    this.#youngCost += cost;
  }
}
