/** The form that invalidates, and its dry run. */
import { ApiError, type Entries, type Routes, type Target, ask, invalidate } from "./api.js";
import { element, fill, make, say } from "./dom.js";
import { number, shortKey, targetOf } from "./words.js";

/** The most pages that a dry run lists. */
const LISTED = 100;

/** The most questions of a dry run: a part of a list may be empty although others follow. */
const PARTS = 20;

const KINDS = ["path", "tag", "prefix", "route", "everything"] as const;
type Kind = (typeof KINDS)[number];

const HINTS: Record<Kind, string> = {
  path: "One page with all its queries and variants: /blog/hello",
  tag: "All pages with this tag: post:42",
  prefix: "All pages at or below this path: /blog",
  route: "All pages of this route: /blog/[slug]",
  everything: "All pages of this deployment",
};

/** Lists pages that a target names now. */
async function matches(target: Target): Promise<{ keys: string[]; hasMore: boolean }> {
  const { path, everything: _, ...others } = target;
  const keys: string[] = [];
  let after: string | null | undefined;
  for (let part = 0; part < PARTS; part += 1) {
    const answer = path !== undefined ? await ask<Entries>("entry", { path }) : await ask<Entries>("entries", { ...others, limit: LISTED, after });
    keys.push(...answer.entries.map(({ key }) => key));
    after = answer.after;
    if (!after || keys.length > LISTED) break;
  }
  return { keys: keys.slice(0, LISTED), hasMore: Boolean(after) || keys.length > LISTED };
}

const countOf = ({ keys, hasMore }: { keys: string[]; hasMore: boolean }) =>
  hasMore ? `more than ${number(keys.length)} pages match` : keys.length === 1 ? "1 page matches" : `${number(keys.length)} pages match`;

export class InvalidationForm {
  readonly #kind = element<HTMLSelectElement>("target-kind");
  readonly #value = element<HTMLInputElement>("target-value");
  readonly #dialog = element<HTMLDialogElement>("confirm");
  readonly #buttons = [element<HTMLButtonElement>("dry-run"), element<HTMLButtonElement>("invalidate")];
  readonly #recorded: (seqs: number[]) => void;
  readonly #failed: (error: unknown) => void;

  /** `recorded` takes the numbers of new invalidations, `failed` whatever goes wrong. */
  constructor(recorded: (seqs: number[]) => void, failed: (error: unknown) => void) {
    this.#recorded = recorded;
    this.#failed = failed;
    this.#kind.addEventListener("change", () => this.#showKind());
    element("invalidation-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#perform(() => this.#dryRun());
    });
    element("invalidate").addEventListener("click", () => void this.#perform(() => this.#confirm()));
    element("confirm-yes").addEventListener("click", () => this.#dialog.close("yes"));
    element("confirm-no").addEventListener("click", () => this.#dialog.close("no"));
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue === "yes") void this.#perform(() => this.#invalidate());
    });
    this.#showKind();
  }

  /** Fills in a target, for a button elsewhere on the page. */
  suggest(kind: Kind, value: string): void {
    this.#kind.value = kind;
    this.#showKind();
    this.#value.value = value;
    element("invalidation").scrollIntoView();
    this.#value.focus();
  }

  /** Fills the suggestions for routes. */
  async load(): Promise<void> {
    const { routes } = await ask<Routes>("routes");
    element("known-routes").replaceChildren(...routes.map(({ pattern }) => make("option", { value: pattern })));
  }

  #showKind(): void {
    const kind = this.#kind.value as Kind;
    element("target-hint").textContent = HINTS[kind];
    element("target-value-field").hidden = kind === "everything";
    this.#value.required = kind !== "everything";
    if (kind === "route") this.#value.setAttribute("list", "known-routes");
    else this.#value.removeAttribute("list");
  }

  #target(): Target {
    const kind = this.#kind.value as Kind;
    return kind === "everything" ? { everything: true } : { [kind]: this.#value.value.trim() };
  }

  async #dryRun(): Promise<void> {
    const target = this.#target();
    say("invalidation-result", `Looking for pages of ${targetOf(target)} …`);
    const found = await matches(target);
    fill("matches", found.keys.map((key) => ({ id: key, cells: [shortKey(key)] })), "No page matches.");
    element("matches-part").hidden = false;
    const bound = found.hasMore ? `, of which ${LISTED} are listed` : "";
    say("invalidation-result", `Dry run: ${countOf(found)} ${targetOf(target)}${bound}. Nothing was changed.`, "done");
  }

  /** Asks whether it is meant, and says how much it concerns. */
  async #confirm(): Promise<void> {
    if (!element<HTMLFormElement>("invalidation-form").reportValidity()) return;
    const target = this.#target();
    say("invalidation-result", `Looking for pages of ${targetOf(target)} …`);
    const found = await matches(target);
    say("invalidation-result", "");
    element("confirm-what").textContent = `Invalidate ${targetOf(target)} with the mode “${element<HTMLSelectElement>("mode").value}”? Now ${countOf(found)}.`;
    this.#dialog.returnValue = "no";
    this.#dialog.showModal();
  }

  async #invalidate(): Promise<void> {
    const refresh = element<HTMLInputElement>("eager").checked ? "eager" : "lazy";
    const receipts = await invalidate({ ...this.#target(), mode: element<HTMLSelectElement>("mode").value, refresh });
    const numbers = receipts.map(({ seq }) => seq);
    say("invalidation-result", `Recorded as number ${numbers.join(", ")}. The progress is below.`, "done");
    this.#recorded(numbers);
  }

  async #perform(action: () => Promise<void>): Promise<void> {
    for (const button of this.#buttons) button.disabled = true;
    const focused = document.activeElement;
    try {
      await action();
    } catch (error) {
      say("invalidation-result", error instanceof ApiError ? `It failed: ${error.message}.` : `It failed: ${String(error)}`, "error");
      this.#failed(error);
    } finally {
      for (const button of this.#buttons) button.disabled = false;
      // A disabled button loses the focus.
      if (focused instanceof HTMLElement && document.activeElement === document.body) focused.focus();
    }
  }
}
