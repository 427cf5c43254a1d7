// Made of the list of settings in src/config/settings.rs by tests/schema: change it there.

/** The variable `ISR` of the gateway, `[vars.ISR]` in `wrangler.toml`. */
export interface IsrConfig {
  /** Freshness lifetime. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: `60`. */
  revalidate?: number | false;
  /** Freshness lifetime of 404 and 410. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: as `revalidate`, at most 60. */
  not_found_revalidate?: number | false;
  /** How long after that lifetime a stale copy may be served while it is rendered again. Accepts whole seconds from 0 to 31536000. Default: `604800`. */
  expire?: number;
  /** How long after that lifetime the last good copy may stand in for a failing site. Accepts whole seconds from 0 to 31536000. Default: as `expire`. */
  stale_if_error?: number;
  /** How long a browser may show a fresh page again without asking; no invalidation reaches it meanwhile. Accepts whole seconds from 0 to 86400. Default: `0`. */
  browser_max_age?: number;
  /** The longest an edge may miss an invalidation; 0: each request asks. Accepts whole seconds from 0 to 300. Default: `10`. */
  freshness_bound?: number;
  /** How long the site may take, to its last byte. Accepts whole seconds from 1 to 600. Default: `60`. */
  render_timeout?: number;
  /** How long of that it may take to the head of its answer. Accepts whole seconds from 1 to 600. Default: as `render_timeout`. */
  first_byte_timeout?: number;
  /** How long a visitor waits for the coordinator before the site is asked directly. Accepts whole seconds from 1 to 60. Default: `30`. */
  miss_timeout?: number;
  /** How long an answer that may not be stored is remembered as such. Accepts whole seconds from 1 to 3600. Default: `60`. */
  pass_ttl?: number;
  /** How many renders an eager refresh begins in a second, in each shard. Accepts a whole number from 1 to 100. Default: `10`. */
  refresh_rate?: number;
  /** How many objects share the tag index: more for very many tags or invalidations. Accepts a whole number from 1 to 32. Default: `1`. */
  tag_shards?: number;
  /** How long a colo's own copy may live. Accepts whole seconds from 1 to 86400. Default: `3600`. */
  l1_ttl?: number;
  /** Where pages are kept for all colos: docs/storage.md. Accepts "kv" or "r2". Default: `"kv"`. */
  l2?: "kv" | "r2";
  /** The largest body that is stored; over 26148864 it takes R2. Accepts a whole number from 1 to 33554432. Default: `10485760`. */
  max_body_bytes?: number;
  /** Whether responses say how the cache handled them. Accepts `true` or `false`. Default: `true`. */
  expose_headers?: boolean;
  /** The name of the Cache API's cache. Accepts 1 to 64 letters, digits, `.`, `_` or `-`. Default: `"cloudflare-isr"`. */
  cache_name?: string;
  /** Key pages by this origin rather than by the host asked for. Accepts an origin without path, such as "https://example.com". Default: none. */
  canonical_origin?: string;
  /** Whose pages are cached; requests for others pass to the site. Accepts at most 100 hosts, such as ["example.com", "*.example.com"]. Default: `any`. */
  hosts?: readonly string[];
  /** Which parameters make no difference where `query` is "all"; by default `utm_*`, `gclid`, `fbclid` and the like. Accepts at most 32 parameter names, such as ["utm_*", "gclid"]. Default: `tracking parameters`. */
  ignore_query?: readonly string[];
  /** `/a/` is `/a`; or a page of its own; or sends visitors to `/a`. Accepts "strip", "keep" or "redirect". Default: `"strip"`. */
  trailing_slash?: "strip" | "keep" | "redirect";
  /** The site, if it is not bound as `ORIGIN`: docs/origins.md; `"self"`: this Worker itself, by a handler of its own. Accepts a URL without query, such as "https://site.example.com", the name of a service binding, such as "SHOP_ORIGIN", or "self". Default: none. */
  origin?: string;
  /** Headers that each render carries besides this cache's own: docs/origins.md. Accepts at most 16 headers with text or a secret each, such as { X-Preview = "off", Authorization = { secret = "SITE_TOKEN" } }. Default: none. */
  render_headers?: { [name: string]: string | { secret: string } };
  /** Which headers that say who asks may be among them. Accepts a list out of "authorization", "cf-access-client-id", "cf-access-client-secret", "cf-access-token", "cookie", "proxy-authorization", "x-api-key", "x-auth-token". Default: `[]`. */
  render_sensitive_headers?: readonly ("authorization" | "cf-access-client-id" | "cf-access-client-secret" | "cf-access-token" | "cookie" | "proxy-authorization" | "x-api-key" | "x-auth-token")[];
  /** A cache of the platform stands in front: it is told what to keep, and purged; see docs/platform-cache.md. Accepts `true` or `false`. Default: `false`. */
  platform_cache?: boolean;
  /** The zone whose cache is purged of what is invalidated. Accepts the id of a zone, 32 hexadecimal digits. Default: none. */
  zone_purge?: string;
  /** Which pages are cached. Accepts 1 to 500 tables, such as [vars.ISR.routes."/blog/[slug]"]. Default: required. */
  routes: { [pattern: `/${string}`]: IsrRoute };
}

/** What is said of the pages of one route. What is left out is as at the top level. */
export interface IsrRoute {
  /** Freshness lifetime. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: `60`. */
  revalidate?: number | false;
  /** Freshness lifetime of 404 and 410. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: as `revalidate`, at most 60. */
  not_found_revalidate?: number | false;
  /** How long after that lifetime a stale copy may be served while it is rendered again. Accepts whole seconds from 0 to 31536000. Default: `604800`. */
  expire?: number;
  /** How long after that lifetime the last good copy may stand in for a failing site. Accepts whole seconds from 0 to 31536000. Default: as `expire`. */
  stale_if_error?: number;
  /** How long a browser may show a fresh page again without asking; no invalidation reaches it meanwhile. Accepts whole seconds from 0 to 86400. Default: `0`. */
  browser_max_age?: number;
  /** `/a/` is `/a`; or a page of its own; or sends visitors to `/a`. Accepts "strip", "keep" or "redirect". Default: `"strip"`. */
  trailing_slash?: "strip" | "keep" | "redirect";
  /** The site, if it is not bound as `ORIGIN`: docs/origins.md; `"self"`: this Worker itself, by a handler of its own. Accepts a URL without query, such as "https://site.example.com", the name of a service binding, such as "SHOP_ORIGIN", or "self". Default: none. */
  origin?: string;
  /** Headers that each render carries besides this cache's own: docs/origins.md. Accepts at most 16 headers with text or a secret each, such as { X-Preview = "off", Authorization = { secret = "SITE_TOKEN" } }. Default: none. */
  render_headers?: { [name: string]: string | { secret: string } };
  /** Which statuses are stored. Accepts a list of at least one out of 200, 203, 300, 301, 302, 303, 307, 308, 404, 410, 414, 451. Default: `[200, 203, 301, 308, 404, 410]`. */
  statuses?: readonly (200 | 203 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 410 | 414 | 451)[];
  /** Tags of all pages of the route. Accepts at most 64 tags, such as ["blog", "news"]. Default: `[]`. */
  tags?: readonly string[];
  /** How many coordinators share the route's pages. Accepts a whole number from 1 to 256. Default: `1`. */
  shards?: number;
  /** How many pages (each variant by itself) each coordinator takes on; the first to come stay, others pass to the site uncached. Accepts a whole number from 1 to 1000000. Default: `100000`. */
  max_pages?: number;
  /** Which parameters make pages different; the others do not reach the site. Accepts at most 32 parameter names, such as ["page"], "all" or "none". Default: `[]`. */
  query?: readonly string[] | "all" | "none";
  /** What makes pages of one URL different. Accepts a table that makes at most 64 variants, such as { language = ["en", "de"] }. Default: none. */
  vary?: IsrVary;
}

/** What makes pages of one URL different. */
export interface IsrVary {
  /** The best match of `Accept-Language`, else the first. Accepts at most 32 language tags, such as ["en", "de-AT"]. Default: none. */
  language?: readonly string[];
  /** By `CF-Device-Type`, client hint or `User-Agent`; the first stands for those not listed. Accepts a list of "desktop", "mobile" and "tablet". Default: none. */
  device?: readonly ("desktop" | "mobile" | "tablet")[];
  /** All others are one. Accepts at most 32 countries, such as ["DE", "AT"]. Default: none. */
  country?: readonly string[];
  /** Any other value is as no cookie. Accepts lists of values by name, such as { theme = ["dark", "light"] }. Default: none. */
  cookie?: { [name: string]: readonly string[] };
  /** Any other value is as no header. Accepts lists of values by name, such as { X-Ab-Test = ["a", "b"] }. Default: none. */
  header?: { [name: string]: readonly string[] };
}
