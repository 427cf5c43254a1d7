/**
 * The dashboard: signs in, then asks the admin API every 5 s while somebody looks.
 *
 * | state | next |
 * |---|---|
 * | asking for the session | signed out, or signed in |
 * | signed out | signed in, with the right token |
 * | signed in | signed out: by the button, at the end of the session, or when the token is another one |
 * | signed in, and a question failed | asks again after a growing pause; what is shown says since when it is old |
 */
import { ApiError, type Overview, type SessionAnswer, ask, health, session } from "./api.js";
import { element, say } from "./dom.js";
import { InvalidationForm } from "./invalidation_form.js";
import { Invalidations } from "./invalidations.js";
import { DecisionLog, Explain, TagList, showBounds, showFigures, showHealth, showLeases, showPages } from "./panels.js";
import { Poller, type Polling } from "./poll.js";
import { Traffic } from "./traffic.js";
import { timeOfDay } from "./words.js";

/** How often it asks, in milliseconds. */
const EVERY = 5000;

/** How often it asks for the health, which costs as much as everything else together. */
const HEALTH_EVERY = 30_000;

class Dashboard {
  /** The coordinator after which the part of the list begins that is shown; `null`: the first one. */
  #place: string | null = null;
  #next: string | null = null;
  #healthAt = 0;
  readonly #failed = (error: unknown) => this.#onFailure(error);
  readonly #traffic = new Traffic();
  readonly #decisions = new DecisionLog();
  readonly #invalidations = new Invalidations();
  readonly #explain = new Explain(this.#failed);
  readonly #form = new InvalidationForm((seqs) => {
    this.#invalidations.follow(seqs);
    void this.#poller.now();
  }, this.#failed);
  readonly #tags = new TagList((tag) => this.#form.suggest("tag", tag), this.#failed);
  readonly #poller = new Poller(EVERY, () => this.#round(), (state) => this.#showState(state));

  constructor() {
    element("sign-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#signIn();
    });
    element("sign-out").addEventListener("click", () => void this.#signOut());
    element("pause").addEventListener("click", () => {
      this.#poller.isPaused = !this.#poller.isPaused;
      element("pause").textContent = this.#poller.isPaused ? "Continue" : "Pause";
    });
    element("coordinators-next").addEventListener("click", () => this.#turn(this.#next));
    element("coordinators-first").addEventListener("click", () => this.#turn(null));
  }

  async start(): Promise<void> {
    try {
      this.#show(await session.current());
    } catch (error) {
      this.#showSignIn(error instanceof ApiError ? `The deployment can't be asked: ${error.message}.` : String(error));
    }
  }

  #show({ signedIn }: SessionAnswer): void {
    if (!signedIn) return this.#showSignIn("");
    element("sign-in").hidden = true;
    element("signed-in").hidden = false;
    element("controls").hidden = false;
    this.#poller.start();
    for (const loaded of [this.#tags.show(null), this.#form.load()]) loaded.catch(this.#failed);
  }

  #showSignIn(message: string): void {
    this.#poller.stop();
    element("signed-in").hidden = true;
    element("controls").hidden = true;
    element("sign-in").hidden = false;
    say("sign-in-result", message, message === "" ? "" : "error");
    element<HTMLInputElement>("token").focus();
  }

  async #signIn(): Promise<void> {
    const field = element<HTMLInputElement>("token");
    const button = element<HTMLButtonElement>("sign-in-button");
    button.disabled = true;
    say("sign-in-result", "Signing in …");
    try {
      await session.begin(field.value);
      field.value = "";
      // A browser that refuses the cookie says nothing about it.
      const now = await session.current();
      if (!now.signedIn) return this.#showSignIn("The browser did not keep the session: it needs HTTPS, or a browser that trusts localhost.");
      this.#show(now);
      element("overview-title").focus();
    } catch (error) {
      const message = error instanceof ApiError ? error.message : String(error);
      this.#showSignIn(error instanceof ApiError && error.isSignedOut ? "The token is wrong." : `It failed: ${message}.`);
      field.select();
    } finally {
      button.disabled = false;
    }
  }

  async #signOut(): Promise<void> {
    try {
      await session.end();
      // Nothing of the deployment stays in the memory of the page.
      location.reload();
    } catch (error) {
      say("alert", `You are still signed in: ${error instanceof ApiError ? error.message : String(error)}.`, "error");
    }
  }

  #onFailure(error: unknown): void {
    if (error instanceof ApiError && error.isSignedOut) {
      this.#showSignIn("Your session has ended, or the token is another one. Sign in again.");
    } else if (!(error instanceof ApiError)) {
      console.error(error);
    }
  }

  /** Asks for everything that is shown all the time. One failure does not hide the other answers. */
  async #round(): Promise<void> {
    const now = Date.now();
    const isHealthDue = now - this.#healthAt >= HEALTH_EVERY;
    if (isHealthDue) this.#healthAt = now;
    const results = await Promise.allSettled([
      this.#overview(),
      this.#traffic.refresh(),
      this.#decisions.refresh(),
      isHealthDue ? health().then(showHealth) : undefined,
    ]);
    const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    const signedOut = failures.find((error) => error instanceof ApiError && error.isSignedOut);
    if (signedOut !== undefined) this.#onFailure(signedOut);
    else if (failures.length > 0) throw failures[0];
  }

  async #overview(): Promise<void> {
    const after = this.#place;
    const overview = await ask<Overview>("overview", { after });
    this.#next = overview.after;
    showFigures(overview);
    showBounds(overview, after === null);
    element("coordinators-next").hidden = this.#next === null;
    element("coordinators-first").hidden = after === null;
    showPages(overview, (key) => this.#explain.of(key));
    await Promise.all([showLeases(overview.now), this.#invalidations.refresh(overview.invalidations, overview.now)]);
  }

  #turn(place: string | null): void {
    this.#place = place;
    void this.#poller.now();
  }

  #showState({ since, failure, isPaused }: Polling): void {
    const at = since === null ? "" : timeOfDay(since);
    document.body.classList.toggle("old", failure !== null);
    if (failure !== null) {
      const age = since === null ? "There are no numbers yet." : `The numbers are from ${at}.`;
      say("alert", `The last question failed: ${failure.message}. ${age}`, "error");
    } else say("alert", "");
    // It changes every few seconds, so it is not announced.
    element("state").textContent = since === null ? "" : isPaused ? `Paused; numbers of ${at}` : `Updated ${at}`;
  }
}

void new Dashboard().start();
