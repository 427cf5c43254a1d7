/** The caching values that a page, or a layout around it, sets. */
export interface PageSettings {
  /** How long the page is fresh, in whole seconds. `false`: until it is invalidated. `0`: it is not stored. */
  revalidate?: number | false | undefined;
  /** Tags by which the page can be invalidated, in addition to those of its route. Text in any script, without commas and control characters. */
  tags?: readonly string[] | undefined;
}

/** The resulting values of a page policy. */
export interface ResolvedSettings {
  /** As in {@link PageSettings}; absent if it was never set. */
  revalidate?: number | false;
  /** All tags, each once, in the order in which they were set. */
  tags: string[];
}

/**
 * Collects the values of the layouts and the page of one request, in whatever order they run.
 *
 * `revalidate` comes from the last `set` that names it, otherwise from the last `defaults`. Tags accumulate.
 */
export interface PagePolicy {
  /**
   * Sets the defaults of a layout for its pages.
   * @throws {TypeError} if a value is invalid
   */
  defaults(settings: PageSettings): void;
  /**
   * Sets the values of a page, which override all defaults.
   * @throws {TypeError} if a value is invalid
   */
  set(settings: PageSettings): void;
  /** Returns the resulting values; `null` if nothing was set. */
  resolve(): ResolvedSettings | null;
}

/** The characters of a tag: those that a member of the `Cache-Tag` header may have, as in `src/semantics/tag.rs`. */
const TAG = /^(?!\s)[^,\p{Cc}\p{Cs}\uFFFD]+(?<!\s)$/u;

/** The longest tag, in bytes. The cache replaces one of more than 256 bytes by its hash. */
const MAX_TAG_BYTES = 16 * 1024;

function check({ revalidate, tags }: PageSettings): void {
  if (revalidate !== undefined && revalidate !== false && !(Number.isSafeInteger(revalidate) && revalidate >= 0)) {
    throw new TypeError(`revalidate must be whole seconds, 0 (not stored) or false (never ages), not ${String(revalidate)}`);
  }
  if (tags !== undefined && !Array.isArray(tags)) throw new TypeError("tags must be a list of strings");
  for (const tag of tags ?? []) {
    if (typeof tag !== "string" || !TAG.test(tag) || new TextEncoder().encode(tag).length > MAX_TAG_BYTES) {
      throw new TypeError(`a tag must be text without commas and control characters, and without spaces at its ends, not ${JSON.stringify(tag)}`);
    }
  }
}

/** Creates the page policy of one request. */
export function createPagePolicy(): PagePolicy {
  let page: number | false | undefined;
  let layout: number | false | undefined;
  let spoken = false;
  const tags = new Set<string>();
  const take = (settings: PageSettings): void => {
    check(settings);
    spoken ||= settings.revalidate !== undefined || settings.tags !== undefined;
    for (const tag of settings.tags ?? []) tags.add(tag);
  };
  return {
    defaults(settings) {
      take(settings);
      layout = settings.revalidate ?? layout;
    },
    set(settings) {
      take(settings);
      page = settings.revalidate ?? page;
    },
    resolve() {
      if (!spoken) return null;
      const revalidate = page ?? layout;
      return { ...(revalidate !== undefined && { revalidate }), tags: [...tags] };
    },
  };
}

/**
 * Writes the values of a page policy into the headers of the site's response, where the cache reads them: sets `X-ISR-Revalidate`, and appends
 * to `Cache-Tag`.
 */
export function applyPagePolicy(headers: Headers, policy: PagePolicy): void {
  const settings = policy.resolve();
  if (settings === null) return;
  if (settings.revalidate !== undefined) headers.set("x-isr-revalidate", String(settings.revalidate));
  if (settings.tags.length > 0) headers.append("cache-tag", headerText(settings.tags.join(", ")));
}

/**
 * Returns text for a value of a header, which carries it as UTF-8. Workers take the text itself. Node.js takes a character for each byte, as the
 * standard of `Headers` says.
 */
function headerText(text: string): string {
  try {
    new Headers({ "cache-tag": text });
    return text;
  } catch {
    return String.fromCharCode(...new TextEncoder().encode(text));
  }
}
