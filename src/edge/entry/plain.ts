/** What Rust declares for both sides (`hit.rs`). */
export interface Constants {
  /** The value of `props.isr` of a request to render a page. */
  renderPurpose: string;
  /** The header of a page in L1 that carries its metadata. */
  metaHeader: string;
  /** How long to wait for L1, in milliseconds. */
  l1Patience: number;
  shortPath: ShortPath;
  /** The path of the dashboard. */
  dashboardPath: string;
}

/** Which requests may take the short path. */
export interface ShortPath {
  method: string;
  /** Request headers that exclude a request. */
  excluded: ExcludedHeader[];
  /** Names of the headers that also exclude a request for a page with the standard rules. */
  excludedByStandard: string[];
}

/** A request header that excludes a request from the short path. */
export interface ExcludedHeader {
  name: string;
  /** If not null, only values that contain this text exclude. */
  containing: string | null;
  /** If not null, the header does not exclude a request that has this header as well. */
  unless: string | null;
}

/** A request header that excludes a request from the short path of one page. */
export interface Exclusion {
  name: string;
  /** If there are any, only values that contain one of these texts exclude. */
  containing: string[];
}

/** What the variant of a page depends on. */
export interface VariantSources {
  headers: HeaderSource[];
  /** Whether it depends on the country of the client. */
  country: boolean;
}

/** A request header that a variant depends on. */
export interface HeaderSource {
  name: string;
  /** If there are any, a value that contains none of these texts counts as none. */
  containing: string[];
}

/** Returns a text that is the same for requests that select the same variant by the same headers. */
export function signatureOf(headers: Headers, country: string | undefined, sources: VariantSources): string {
  let signature = country ?? "";
  for (const { name, containing } of sources.headers) {
    const value = headers.get(name);
    const counts = value !== null && (containing.length === 0 || containing.some((text) => value.includes(text)));
    // No value of a header contains a line feed.
    signature += counts ? `\n=${value}` : "\n";
  }
  return signature;
}

/** Returns whether a page is not for a request with these headers, as far as the short path can tell. */
export function isExcluded(headers: Headers, exclusions: Exclusion[]): boolean {
  for (const { name, containing } of exclusions) {
    const value = headers.get(name);
    if (value !== null && (containing.length === 0 || containing.some((text) => value.includes(text)))) return true;
  }
  return false;
}

/** Returns whether nothing in a request, apart from its URL, asks for more than the stored page. */
export function isPlain({ method, headers }: Pick<Request, "method" | "headers">, props: unknown, shortPath: ShortPath): boolean {
  if (method !== shortPath.method || (props as { isr?: unknown } | null | undefined)?.isr !== undefined) return false;
  for (const { name, containing, unless } of shortPath.excluded) {
    const value = headers.get(name);
    if (value === null) continue;
    if (containing !== null && !value.includes(containing)) continue;
    if (unless !== null && headers.has(unless)) continue;
    return false;
  }
  return true;
}
