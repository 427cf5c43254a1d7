/** Asks again and again while somebody looks. */
import { ApiError } from "./api.js";

/** The longest pause after failures, in milliseconds. */
const LONGEST = 60_000;

/** What the dashboard shows of the state of its questions. */
export interface Polling {
  /** When the last answers came; `null`: never. */
  since: number | null;
  /** Why the last question failed. */
  failure: ApiError | null;
  isPaused: boolean;
}

/** Performs one round of questions after the other. A hidden page asks nothing. */
export class Poller {
  readonly #round: () => Promise<void>;
  readonly #shown: (state: Polling) => void;
  readonly #every: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #isOn = false;
  #failures = 0;
  readonly #state: Polling = { since: null, failure: null, isPaused: false };

  constructor(every: number, round: () => Promise<void>, shown: (state: Polling) => void) {
    this.#every = every;
    this.#round = round;
    this.#shown = shown;
    document.addEventListener("visibilitychange", () => this.#wake());
  }

  start(): void {
    this.#isOn = true;
    this.#failures = 0;
    this.#wake();
  }

  stop(): void {
    this.#isOn = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get isPaused(): boolean {
    return this.#state.isPaused;
  }

  set isPaused(value: boolean) {
    this.#state.isPaused = value;
    this.#shown(this.#state);
    this.#wake();
  }

  /** Asks at once, also while it is paused. */
  async now(): Promise<void> {
    if (this.#isAsking || !this.#isOn) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isAsking = true;
    try {
      await this.#round();
      this.#state.since = Date.now();
      this.#state.failure = null;
      this.#failures = 0;
    } catch (error) {
      this.#state.failure = error instanceof ApiError ? error : new ApiError(0, `the answer could not be shown: ${String(error)}`);
      this.#failures += 1;
    } finally {
      this.#isAsking = false;
    }
    if (!this.#isOn) return;
    this.#shown(this.#state);
    this.#plan(Math.min(this.#every * 2 ** this.#failures, LONGEST));
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#plan(0);
  }

  #plan(wait: number): void {
    if (!this.#isOn || this.#state.isPaused || document.hidden || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.now();
    }, wait);
  }
}
