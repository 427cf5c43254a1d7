// Generated from src/config/settings.rs by tests/schema. Make changes there.

/** The variable `ISR` of the gateway, `[vars.ISR]` in `wrangler.toml`. */
export interface IsrConfig {
  /** Freshness lifetime of a page, unless its response sets another. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: `60`. */
  revalidate?: number | false;
  /** Freshness lifetime of a 404 or 410. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: as `revalidate`, at most 60. */
  not_found_revalidate?: number | false;
  /** Stale window: how long after the freshness lifetime a page may be served while it is revalidated. Accepts whole seconds from 0 to 31536000. Default: `604800`. */
  expire?: number;
  /** How long after the freshness lifetime a page may be served while the origin fails. Accepts whole seconds from 0 to 31536000. Default: as `expire`. */
  stale_if_error?: number;
  /** How long a browser may reuse a fresh page without a request. Invalidations do not reach it in this time. Accepts whole seconds from 0 to 31536000. Default: `0`. */
  browser_max_age?: number;
  /** Meaning of a slash at the end of a path. With `strip`, `/a/` is the same page as `/a`; with `keep`, it is another page; with `redirect`, it redirects to `/a`. Accepts "strip", "keep" or "redirect". Default: `"keep"`. */
  trailing_slash?: "strip" | "keep" | "redirect";
  /** Meaning of `Set-Cookie` in a response that does not say that it is for all clients. With `pass`, the response passes to the client with its cookie and is not stored; with `strip`, it is stored without the cookie. Accepts "pass" or "strip". Default: `"pass"`. */
  set_cookie?: "pass" | "strip";
  /** Cookies of visitors whose requests pass to the origin, as those of a session; `*` at the end stands for any ending. Other cookies then make no difference, even if a page has `Vary: Cookie`. Those of a route replace those of the top level. Accepts at most 32 cookie names, such as ["wordpress_logged_in_*", "sessionid"]. Default: `[]`. */
  bypass_cookies?: readonly string[];
  /** Rules by which responses are stored and reused. With `isr`, the route states lifetimes, and clients always ask; with `standard`, the origin's `Cache-Control` and `Expires` count as in RFC 9111, and clients receive them; see docs/http.md. Accepts "isr" or "standard". Default: `"isr"`. */
  http?: "isr" | "standard";
  /** Origin of the pages, unless it is the service bound as `ORIGIN`; see docs/origins.md. `"self"` is this Worker itself, which renders pages with its own handler. Accepts a URL without query, such as "https://site.example.com", the name of a service binding, such as "SHOP_ORIGIN", or "self". Default: none. */
  origin?: string;
  /** Headers that requests to the origin carry besides this cache's own; see docs/origins.md. Those of a route replace those of the top level. Accepts at most 16 headers with text or a secret each, such as { X-Preview = "off", Authorization = { secret = "SITE_TOKEN" } }. Default: none. */
  render_headers?: { [name: string]: string | { secret: string } };
  /** The longest time for which an edge may miss an invalidation. With 0, every request asks for invalidations. Accepts whole seconds from 0 to 300. Default: `10`. */
  freshness_bound?: number;
  /** How an edge learns of invalidations. With `push`, an isolate with traffic keeps a stream open to the tag index, and learns of them within a round trip; with `poll`, it asks. `freshness_bound` holds for both. A stream keeps the tag index's object in memory, which the platform bills; see docs/push.md. Accepts "push" or "poll". Default: `"poll"`. */
  feed?: "push" | "poll";
  /** Time allowed for the whole response of the origin, up to its last byte. Accepts whole seconds from 1 to 600. Default: `60`. */
  render_timeout?: number;
  /** Time allowed for the response headers of the origin. It counts towards `render_timeout`. Accepts whole seconds from 1 to 600. Default: as `render_timeout`. */
  first_byte_timeout?: number;
  /** How long a client waits for the coordinator before the edge asks the origin directly. Accepts whole seconds from 1 to 60. Default: `30`. */
  miss_timeout?: number;
  /** How long the cache remembers that a response may not be stored. Accepts whole seconds from 1 to 3600. Default: `60`. */
  pass_ttl?: number;
  /** Number of renders that an eager refresh starts per second in each shard. Accepts a whole number from 1 to 100. Default: `10`. */
  refresh_rate?: number;
  /** Number of decisions that the log of each coordinator keeps; see docs/admin-api.md. Each decision costs a row written: one more per render. With 0, there is no log. Accepts a whole number from 0 to 10000. Default: `1000`. */
  decision_log?: number;
  /** Number of objects that share the tag index. Increase it for very many tags or invalidations. Accepts a whole number from 1 to 32. Default: `1`. */
  tag_shards?: number;
  /** How long a page stays in the cache of one data center (L1). Accepts whole seconds from 1 to 86400. Default: `3600`. */
  l1_ttl?: number;
  /** Memory for pages that are requested often, in bytes, in each isolate of the Worker. A HIT from there does not read L1. With 0, no page stays in memory. Accepts a whole number from 0 to 67108864. Default: `16777216`. */
  memory_bytes?: number;
  /** The largest body that stays in the memory of an isolate. With 0, no page stays in memory. Accepts a whole number from 0 to 4194304. Default: `262144`. */
  memory_page_bytes?: number;
  /** Store of the pages for all data centers (L2); see docs/storage.md. Accepts "kv" or "r2". Default: `"kv"`. */
  l2?: "kv" | "r2";
  /** The largest body that is stored. More than 26148864 bytes need R2. Accepts a whole number from 1 to 33554432. Default: `10485760`. */
  max_body_bytes?: number;
  /** Whether responses have headers that tell how the cache handled them. Accepts `true` or `false`. Default: `true`. */
  expose_headers?: boolean;
  /** Whether requests and visits are counted: for `/__isr/metrics`, for Analytics Engine, and for the order of eager refreshes. An isolate with traffic then sends one message a minute; see docs/metrics.md. Accepts `true` or `false`. Default: `true`. */
  metrics?: boolean;
  /** Which requests for pages the log has a line for. With `problems`, those for which something has failed; with `requests`, all but plain HITs. The platform may bill each line; see docs/metrics.md. Accepts "none", "problems" or "requests". Default: `"problems"`. */
  log?: "none" | "problems" | "requests";
  /** Name of the Cache API's cache. The identity of the deployment is added to it. Accepts 1 to 64 letters, digits, `.`, `_` or `-`. Default: `"cloudflare-isr"`. */
  cache_name?: string;
  /** Origin that page keys contain in place of the host of the request. Accepts an origin without path, such as "https://example.com". Default: none. */
  canonical_origin?: string;
  /** Hosts whose pages are cached; `*.` at the beginning stands for all subdomains. Requests for other hosts pass to the origin. Accepts at most 100 hosts, such as ["example.com", "*.example.com"]. Default: any host. */
  hosts?: readonly string[];
  /** Query parameters that make no difference where `query` is `"all"` or not set; `*` at the end stands for any ending. The default is `utm_*`, `gclid`, `fbclid` and similar parameters. Accepts at most 32 parameter names, such as ["utm_*", "gclid"]. Default: tracking parameters. */
  ignore_query?: readonly string[];
  /** Headers that authenticate requests and that `render_headers` may contain. Accepts a list of any of "authorization", "cf-access-client-id", "cf-access-client-secret", "cf-access-token", "cookie", "proxy-authorization", "x-api-key" or "x-auth-token". Default: `[]`. */
  render_sensitive_headers?: readonly ("authorization" | "cf-access-client-id" | "cf-access-client-secret" | "cf-access-token" | "cookie" | "proxy-authorization" | "x-api-key" | "x-auth-token")[];
  /** Whether a cache of the platform is downstream. Responses then tell it what to keep, and invalidations purge it; see docs/platform-cache.md. Accepts `true` or `false`. Default: `false`. */
  platform_cache?: boolean;
  /** Zone whose cache is purged of invalidated pages. Accepts the id of a zone, 32 hexadecimal digits. Default: none. */
  zone_purge?: string;
  /** Webhooks: calls of a CMS or another system that invalidate pages, at `/__isr/hooks/<name>`; see docs/webhooks.md. Accepts at most 20 tables, such as [vars.ISR.webhooks.cms]. Default: none. */
  webhooks?: { [name: string]: IsrWebhook };
  /** Routes, whose pages are cached. Accepts 1 to 500 tables, such as [vars.ISR.routes."/blog/[slug]"]. Default: required. */
  routes: { [pattern: `/${string}`]: IsrRoute };
}

/** The settings of one route. Settings that are left out have the top level's values. */
export interface IsrRoute {
  /** Freshness lifetime of a page, unless its response sets another. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: `60`. */
  revalidate?: number | false;
  /** Freshness lifetime of a 404 or 410. Accepts whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored). Default: as `revalidate`, at most 60. */
  not_found_revalidate?: number | false;
  /** Stale window: how long after the freshness lifetime a page may be served while it is revalidated. Accepts whole seconds from 0 to 31536000. Default: `604800`. */
  expire?: number;
  /** How long after the freshness lifetime a page may be served while the origin fails. Accepts whole seconds from 0 to 31536000. Default: as `expire`. */
  stale_if_error?: number;
  /** How long a browser may reuse a fresh page without a request. Invalidations do not reach it in this time. Accepts whole seconds from 0 to 31536000. Default: `0`. */
  browser_max_age?: number;
  /** Meaning of a slash at the end of a path. With `strip`, `/a/` is the same page as `/a`; with `keep`, it is another page; with `redirect`, it redirects to `/a`. Accepts "strip", "keep" or "redirect". Default: `"keep"`. */
  trailing_slash?: "strip" | "keep" | "redirect";
  /** Meaning of `Set-Cookie` in a response that does not say that it is for all clients. With `pass`, the response passes to the client with its cookie and is not stored; with `strip`, it is stored without the cookie. Accepts "pass" or "strip". Default: `"pass"`. */
  set_cookie?: "pass" | "strip";
  /** Cookies of visitors whose requests pass to the origin, as those of a session; `*` at the end stands for any ending. Other cookies then make no difference, even if a page has `Vary: Cookie`. Those of a route replace those of the top level. Accepts at most 32 cookie names, such as ["wordpress_logged_in_*", "sessionid"]. Default: `[]`. */
  bypass_cookies?: readonly string[];
  /** Rules by which responses are stored and reused. With `isr`, the route states lifetimes, and clients always ask; with `standard`, the origin's `Cache-Control` and `Expires` count as in RFC 9111, and clients receive them; see docs/http.md. Accepts "isr" or "standard". Default: `"isr"`. */
  http?: "isr" | "standard";
  /** Origin of the pages, unless it is the service bound as `ORIGIN`; see docs/origins.md. `"self"` is this Worker itself, which renders pages with its own handler. Accepts a URL without query, such as "https://site.example.com", the name of a service binding, such as "SHOP_ORIGIN", or "self". Default: none. */
  origin?: string;
  /** Headers that requests to the origin carry besides this cache's own; see docs/origins.md. Those of a route replace those of the top level. Accepts at most 16 headers with text or a secret each, such as { X-Preview = "off", Authorization = { secret = "SITE_TOKEN" } }. Default: none. */
  render_headers?: { [name: string]: string | { secret: string } };
  /** Statuses that are stored. Accepts a list of at least one of 200, 203, 300, 301, 302, 303, 307, 308, 404, 410, 414, 451. Default: `[200, 203, 301, 308, 404, 410]`. */
  statuses?: readonly (200 | 203 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 410 | 414 | 451)[];
  /** Tags of every page of the route. Accepts at most 64 tags, such as ["blog", "news"]. Default: `[]`. */
  tags?: readonly string[];
  /** Number of coordinators that share the route's pages. Accepts a whole number from 1 to 256. Default: `1`. */
  shards?: number;
  /** Maximum number of pages in each coordinator, each variant counted separately. A full coordinator admits a page when it is requested again, in place of one that is requested less; other requests pass to the origin and are not cached. Accepts a whole number from 1 to 1000000. Default: `100000`. */
  max_pages?: number;
  /** Query parameters that are part of a page's key. A render contains no others. Without this setting, requests for a route that ends in `*` pass to the origin if they have parameters other than those of `ignore_query`. Accepts at most 32 parameter names, such as ["page"], or "all" or "none". Default: none. */
  query?: readonly string[] | "all" | "none";
  /** Properties of a request that select one of several variants of a page. Accepts a table that makes at most 64 variants, such as { language = ["en", "de"] }. Default: none. */
  vary?: IsrVary;
}

/** Properties of a request that select one of several variants of a page. */
export interface IsrVary {
  /** Languages. The best match of `Accept-Language` is used, otherwise the first. Accepts at most 32 language tags, such as ["en", "de-AT"]. Default: none. */
  language?: readonly string[];
  /** Media types, such as HTML for browsers and Markdown for agents. The best match of `Accept` is used, otherwise the first. Accepts at most 32 media types, such as ["text/html", "text/markdown"]. Default: none. */
  accept?: readonly string[];
  /** Classes of devices, by `CF-Device-Type`, client hint or `User-Agent`. The first stands for those that are not listed. Accepts a list of any of "desktop", "mobile" or "tablet". Default: none. */
  device?: readonly ("desktop" | "mobile" | "tablet")[];
  /** Countries. All others share one variant. Accepts at most 32 countries, such as ["DE", "AT"]. Default: none. */
  country?: readonly string[];
  /** Cookies and their values. Any other value has the same effect as no cookie. Accepts lists of values by name, such as { theme = ["dark", "light"] }. Default: none. */
  cookie?: { [name: string]: readonly string[] };
  /** Request headers and their values. Any other value has the same effect as no header. Accepts lists of values by name, such as { X-Ab-Test = ["a", "b"] }. Default: none. */
  header?: { [name: string]: readonly string[] };
}

/** A webhook: a call of another system that invalidates pages. */
export interface IsrWebhook {
  /** How the sender proves that it knows the secret. Accepts "contentful", "github", "sanity", "standard", "storyblok" or "token". Default: required. */
  scheme: "contentful" | "github" | "sanity" | "standard" | "storyblok" | "token";
  /** Name of the Worker's secret that the sender shares. Accepts 1 to 64 letters, digits or `_`: the name of a secret, such as "CMS_SECRET". Default: required. */
  secret: string;
  /** JSON pointer to the delivery's id in the body, for senders that do not send it in a header. A repeated delivery invalidates nothing again. Accepts 1 to 512 a JSON pointer, such as "/webhook_call_id". Default: none. */
  delivery_id?: string;
  /** Rules, all of which are applied to each delivery. Accepts 1 to 50 tables, such as [[vars.ISR.webhooks.cms.rules]]. Default: required. */
  rules: readonly IsrWebhookRule[];
}

/** What a delivery of a webhook invalidates, if its conditions hold. */
export interface IsrWebhookRule {
  /** Conditions, all of which must hold: a JSON pointer into the body, and the values that it may have. Accepts at most 10 JSON pointers with a value or a list of values each, such as { "/type" = ["post", "page"] }. Default: none. */
  when?: { [pointer: string]: string | number | boolean | readonly (string | number | boolean)[] };
  /** Invalidates these paths. `{/pointer}` stands for the value at this place of the body, and for each item of a list. Accepts one or at most 20 templates, such as "post:{/entry/id}". Default: none. */
  path?: string | readonly string[];
  /** Invalidates these paths and all below them. Accepts one or at most 20 templates, such as "post:{/entry/id}". Default: none. */
  prefix?: string | readonly string[];
  /** Invalidates the routes with these patterns. Accepts one or at most 20 templates, such as "post:{/entry/id}". Default: none. */
  route?: string | readonly string[];
  /** Invalidates all pages with these tags. Accepts one or at most 20 templates, such as "post:{/entry/id}". Default: none. */
  tag?: string | readonly string[];
  /** Invalidates all pages. Accepts `true` or `false`. Default: `false`. */
  everything?: boolean;
  /** The effect on the pages. Accepts "stale", "expire" or "purge". Default: `"expire"`. */
  mode?: "stale" | "expire" | "purge";
  /** When the pages are rendered again. Accepts "lazy" or "eager". Default: `"lazy"`. */
  refresh?: "lazy" | "eager";
}
