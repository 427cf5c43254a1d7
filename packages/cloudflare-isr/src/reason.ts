// Made of the list in src/reason.rs by tests/schema: change it there.

/** Why the cache answered as it did, as in `detail` of `Cache-Status`. */
export type IsrReason =
  /** The page comes from the memory of this isolate. */
  | "memory"
  /** The page comes from L2: KV or R2. */
  | "l2"
  /** The page comes from the coordinator: it was rendered for another colo, and KV does not show it yet. */
  | "coordinator"
  /** The page's freshness lifetime is over. */
  | "aged"
  /** The page is fresh by its own times, but the edge could not get the latest invalidations. */
  | "feed-unavailable"
  /** The page is invalidated, and may be served stale. SKIP: it was invalidated during each render. */
  | "invalidated"
  /** The origin has just failed. STALE: the last good copy. SKIP: the origin's own answer. */
  | "site-error"
  /** The render reported nothing within its time limit. */
  | "render-timeout"
  /** Renders of this page have failed, and its back-off has not ended. STALE: the last good copy. SKIP: the origin's last answer, or a 503. */
  | "backoff"
  /** Renders of many pages of the route fail: its circuit breaker is open. STALE: the last good copy. SKIP: the origin's own answer, within a budget of requests per second; otherwise a 503. */
  | "breaker"
  /** Too many renders wait in the coordinator. */
  | "queue-full"
  /** The render could not begin within 10 s. */
  | "queue-timeout"
  /** The coordinator has no memory left for the body of this render, because of other pages. It is tried again. */
  | "no-room"
  /** Too many requests wait at the coordinator. */
  | "waiters-full"
  /** The coordinator has as many pages as `max_pages` allows, and this one was not requested before, or not more than they. */
  | "pages-full"
  /** The render did not end while the coordinator waited for it. */
  | "timeout"
  /** The coordinator restarted during the render, or the render's body can't be joined any more. */
  | "lost"
  /** Another coordinator owns the page now. */
  | "moved"
  /** The page is in L2, but L2 can't be read. */
  | "unreadable"
  /** The page's tags could not be registered. The page is served, but not stored. */
  | "tag-index"
  /** A render could not be published. The next one begins within a second. */
  | "unpublished"
  /** The coordinator can't be reached, or threw an exception. */
  | "coordinator-unreachable"
  /** The platform does not let more requests through to the coordinator. */
  | "coordinator-overloaded"
  /** The coordinator did not answer within `miss_timeout`. */
  | "coordinator-timeout"
  /** The coordinator answered with an error. */
  | "coordinator-failed"
  /** The class of the coordinator has no SQLite: the response is a 500 that says what to change. */
  | "misconfigured"
  /** The coordinator runs another version and gave a reason that this one does not know. */
  | "unknown"
  /** The origin's last answer for this page could not be stored. An earlier version has not recorded why. */
  | "not-stored"
  /** The route does not store answers with this status. */
  | "status"
  /** The answer has `Content-Range`: it may be only a part of the page. */
  | "partial"
  /** `Cache-Control`, or `CDN-Cache-Control` in its place, forbids it. */
  | "cache-control"
  /** The request has `Authorization`, and the answer does not say that it is for everybody. A render never counts as such a request. */
  | "authorization"
  /** The body has a content coding other than `gzip` and `br`. */
  | "content-encoding"
  /** The page asks for `revalidate = 0`, or states a lifetime that is 0 or can't be read. */
  | "revalidate-0"
  /** The answer comes from another cache, and its `Age` has reached its lifetime. */
  | "age"
  /** The answer varies by a request header that is not part of the key, and the request has it; or by one that each render sends, or by `*`. */
  | "vary"
  /** A header has a name or a value that HTTP does not allow. */
  | "malformed-header"
  /** The body is over `max_body_bytes`, or the headers are over 100, over 16 KiB each or over 32 KiB together. */
  | "too-large"
  /** The answer sets a cookie, and nothing says that it is for everybody; or it has `Clear-Site-Data`. */
  | "set-cookie"
  /** The request has a cookie that `bypass_cookies` lists. */
  | "bypass-cookie"
  /** The answer is a stream of events (`text/event-stream`). */
  | "event-stream"
  /** The answer redirects to the requested URL. */
  | "redirect-to-itself"
  /** The request's `Cache-Control` does not accept the stored page. Only with `http = "standard"`. */
  | "request-directive"
  /** The URL has a query parameter that the route does not name. */
  | "query"
  /** The URL is too long for a key. */
  | "uri-too-long"
  /** The URL contains an invalid percent-encoding. */
  | "uri-encoding"
  /** The host is not among `hosts`. */
  | "host";
