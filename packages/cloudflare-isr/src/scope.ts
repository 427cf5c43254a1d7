/** What a page, or a layout around it, says about how it is cached. */
export interface PageSettings {
  /** How long the page is fresh, in whole seconds. `false`: until it is invalidated. `0`: it is not stored. */
  revalidate?: number | false | undefined;
  /** Tags by which the page can be invalidated, besides those of its route. Visible ASCII without commas, at most 256 characters each. */
  tags?: readonly string[] | undefined;
}

/** What the scope of a request has come to. */
export interface ResolvedSettings {
  /** As in {@link PageSettings}; left out if nobody has said it. */
  revalidate?: number | false;
  /** All tags, each once, in the order in which they were given. */
  tags: string[];
}

/**
 * Collects what the layouts and the page of one request say, in whatever order they run.
 *
 * `revalidate` of the last `set` wins; if no `set` has one, that of the last `defaults`. Tags of all are united.
 */
export interface Scope {
  /**
   * Says what a layout wants for its pages.
   * @throws {TypeError} if a value is none that the cache understands
   */
  defaults(settings: PageSettings): void;
  /**
   * Says what a page wants.
   * @throws {TypeError} if a value is none that the cache understands
   */
  set(settings: PageSettings): void;
  /** Returns what all of it comes to; `null` if nothing was said. */
  resolve(): ResolvedSettings | null;
}

/** The characters that a tag may have: those of a member of the `Cache-Tag` header. */
const TAG = /^[!-+\--~]{1,256}$/;

function check({ revalidate, tags }: PageSettings): void {
  if (revalidate !== undefined && revalidate !== false && !(Number.isSafeInteger(revalidate) && revalidate >= 0)) {
    throw new TypeError(`revalidate must be whole seconds, 0 (not stored) or false (never ages), not ${String(revalidate)}`);
  }
  if (tags !== undefined && !Array.isArray(tags)) throw new TypeError("tags must be a list of strings");
  for (const tag of tags ?? []) {
    if (typeof tag !== "string" || !TAG.test(tag)) {
      throw new TypeError(`a tag must be 1 to 256 visible ASCII characters without a comma, not ${JSON.stringify(tag)}`);
    }
  }
}

/** Makes the scope of one request. */
export function createScope(): Scope {
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
 * Writes what a scope has come to into the headers of the site's response, where the cache in front reads it:
 * `X-ISR-Revalidate`, and `Cache-Tag` besides those that are there already.
 */
export function applyScope(headers: Headers, scope: Scope): void {
  const settings = scope.resolve();
  if (settings === null) return;
  if (settings.revalidate !== undefined) headers.set("x-isr-revalidate", String(settings.revalidate));
  if (settings.tags.length > 0) headers.append("cache-tag", settings.tags.join(", "));
}
