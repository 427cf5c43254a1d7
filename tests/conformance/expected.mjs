/**
 * Which tests of the suite do not pass, and why that is as it should be. All others pass. docs/http.md tells the same in prose.
 *
 * `why` says "(against ...)" where RFC 9111 demands otherwise. `says` is what the suite has to say of a test, and at the end, in brackets, how the
 * gateway has answered last: a test that fails for another reason is not one of these. `both`, `plain` and `shared` are the dialects of
 * tests/conformance/run.mjs; a test stands where its reason is in that dialect.
 */
export const deviations = [
  {
    why:
      "`max-age` of `Cache-Control`, and `Expires`, are for browsers (against RFC 9111 §4.2.1): the page is fresh for as long " +
      "as the route says, is not stale yet, and the site is not asked",
    says:
      /(comes from cache|wasn't sent to server|Response [23] header .+|warning header not present\.|status is 200, not 410|'request_method'\)) \[\d+ HIT\]$/,
    plain: [
      "freshness-none", "freshness-max-age-0", "freshness-max-age-age", "freshness-max-age-0-expires",
      "freshness-max-age-negative", "freshness-max-age-single-quoted", "freshness-max-age-ignore-quoted",
      "freshness-max-age-ignore-quoted-rev", "freshness-max-age-ignore-quoted-all", "freshness-max-age-ignore-quoted-all-rev",
      "age-parse-suffix", "age-parse-suffix-twoline", "freshness-expires-past", "freshness-expires-present",
      "freshness-expires-old-date", "freshness-expires-invalid", "freshness-expires-age-slow-date",
      "freshness-expires-age-fast-date", "stale-close-must-revalidate", "stale-close-proxy-revalidate", "status-200-stale",
      "status-203-stale", "status-301-stale", "status-302-stale", "status-303-stale", "status-307-stale", "status-308-stale",
      "status-404-stale", "status-410-stale", "age-parse-nonnumeric", "age-parse-negative", "age-parse-float",
      "age-parse-prefix-twoline", "age-parse-dup-0", "age-parse-dup-0-twoline", "age-parse-dup-old", "age-parse-parameter",
      "age-parse-numeric-parameter", "freshness-max-age-space-before-equals", "freshness-max-age-space-after-equals",
      "freshness-max-age-date", "cc-resp-must-revalidate-stale", "conditional-lm-stale", "conditional-etag-strong-generate",
      "conditional-etag-weak-generate-weak", "304-lm-use-stored-Test-Header", "304-etag-update-response-Test-Header",
      "304-etag-update-response-X-Test-Header", "304-etag-update-response-Content-Foo", "304-etag-update-response-X-Content-Foo",
      "304-etag-update-response-Cache-Control", "304-etag-update-response-Content-Length",
      "304-etag-update-response-Content-Location", "304-etag-update-response-Content-MD5",
      "304-etag-update-response-Content-Security-Policy", "304-etag-update-response-Content-Type",
      "304-etag-update-response-Clear-Site-Data", "304-etag-update-response-ETag", "304-etag-update-response-Expires",
      "304-etag-update-response-Public-Key-Pins", "304-etag-update-response-Set-Cookie", "304-etag-update-response-Set-Cookie2",
      "304-etag-update-response-X-Frame-Options", "304-etag-update-response-X-XSS-Protection", "head-writethrough",
      "head-200-retain", "head-200-freshness-update", "head-200-update", "head-410-update", "stale-warning-stored",
      "stale-warning-become", "surrogate-max-age-other-target", "surrogate-max-age-space-before-equals",
      "surrogate-max-age-space-after-equals",
    ],
  },
  {
    why:
      "`s-maxage` alone does not forbid to serve stale (against RFC 9111 §5.2.2.10): the route's windows permit it. " +
      "`expire = 0` with `stale_if_error = 0` takes that back",
    says: /Response 2 comes from cache \[200 STALE\]/,
    both: [
      "stale-close-s-maxage=2",
    ],
  },
  {
    why:
      "A POST, PUT or DELETE invalidates nothing (against RFC 9111 §4.4): anybody can send one. A site that changes a page by " +
      "it calls `revalidatePath`",
    says: /Response 3 comes from cache \[200 HIT\]/,
    both: [
      "invalidate-POST", "invalidate-PUT", "invalidate-DELETE",
    ],
  },
  {
    why: "`Cache-Control` and `Expires` are not kept (against RFC 9111 §3.1): visitors are told by this cache who may keep what",
    says: /Response 2 header (Cache-Control|Expires) is .*\[200 HIT\]/,
    both: [
      "headers-store-Cache-Control", "headers-store-Expires",
    ],
  },
  {
    why: "`Set-Cookie` is not kept (against RFC 9111 §3.1): it belongs to one visitor, and is never shared",
    says: /Response 2 header Set-Cookie2? is "null".*\[200 HIT\]/,
    both: [
      "headers-store-Set-Cookie", "headers-store-Set-Cookie2",
    ],
  },
  {
    why:
      "`Date` is not asked for a page's age (against RFC 9111 §4.2.3): a site whose clock is slow would never have a page " +
      "stored",
    says: /Response 2 comes from cache \[200 HIT\]/,
    shared: [
      "freshness-max-age-date",
    ],
  },
  {
    why:
      "Pages are rendered anew, never validated (RFC 9111 §4.3 permits that, and demands it nowhere). A render brings all of a " +
      "page's headers. The suite's site answers 999 to who does not validate, which counts as a failure here",
    says: /status is 503, not 200 \[503 SKIP\]|doesn't have if-(none-match|modified-since) header \[\d+ STALE\]|: Response 2 header .*\[200 STALE\]/,
    shared: [
      "cc-resp-must-revalidate-stale", "conditional-lm-stale", "conditional-etag-strong-generate",
      "conditional-etag-weak-generate-weak", "conditional-etag-vary-headers", "conditional-etag-vary-headers-mismatch",
      "304-lm-use-stored-Test-Header", "304-etag-update-response-Test-Header", "304-etag-update-response-X-Test-Header",
      "304-etag-update-response-Content-Foo", "304-etag-update-response-X-Content-Foo", "304-etag-update-response-Cache-Control",
      "304-etag-update-response-Content-Length", "304-etag-update-response-Content-Location",
      "304-etag-update-response-Content-MD5", "304-etag-update-response-Content-Security-Policy",
      "304-etag-update-response-Content-Type", "304-etag-update-response-Clear-Site-Data", "304-etag-update-response-ETag",
      "304-etag-update-response-Expires", "304-etag-update-response-Public-Key-Pins", "304-etag-update-response-Set-Cookie",
      "304-etag-update-response-Set-Cookie2", "304-etag-update-response-X-Frame-Options",
      "304-etag-update-response-X-XSS-Protection",
    ],
  },
  {
    why:
      "`Age` that is no number is ignored, and of a list the first counts, as RFC 9111 §5.1 says. The suite takes these " +
      "for stale",
    says: /Response 2 comes from cache \[200 HIT\]/,
    shared: [
      "age-parse-nonnumeric", "age-parse-negative", "age-parse-float", "age-parse-prefix-twoline", "age-parse-dup-0",
      "age-parse-dup-0-twoline", "age-parse-dup-old", "age-parse-parameter", "age-parse-numeric-parameter",
    ],
  },
  {
    why:
      "What `Location` and `Content-Location` of the answer to a POST, PUT or DELETE name is not invalidated. RFC 9111 §4.4 " +
      "says MAY, where RFC 7234 said MUST",
    says: /Response 3 comes from cache \[200 HIT\]/,
    both: [
      "invalidate-POST-location", "invalidate-PUT-location", "invalidate-DELETE-location", "invalidate-M-SEARCH-location",
      "invalidate-POST-cl", "invalidate-PUT-cl", "invalidate-DELETE-cl",
    ],
  },
  {
    why: "The platform knows no such method (501)",
    says: /Response 2 status is 501/,
    both: [
      "invalidate-M-SEARCH", "invalidate-M-SEARCH-failed", "invalidate-M-SEARCH-cl",
    ],
  },
  {
    why:
      "The page is not shown stale: the site is down, and visitors get an error, as RFC 9111 §5.2.2 has it. The suite takes " +
      "what does not come from its site for a stored answer; of the caches whose results it brings, none passes",
    says: /Response 2 comes from cache \[(502 passed|503 SKIP)\]/,
    both: [
      "stale-close-no-cache",
    ],
    shared: [
      "stale-close-must-revalidate", "stale-close-proxy-revalidate",
    ],
  },
  {
    why: "A coding that can't be undone, and an answer that may be a part, are not stored",
    says: /Response 2 does not come from cache \[200 SKIP\]|status is 502/,
    both: [
      "headers-store-Content-Encoding", "headers-store-Content-Range", "304-etag-update-response-Content-Encoding",
      "304-etag-update-response-Content-Range",
    ],
  },
  {
    why:
      "A render has no `Authorization` of a visitor, so RFC 9111 §3.5 does not apply: what is stored is what anybody gets. A " +
      "page that is not to be is kept out of the routes, or says `private`",
    says: /Response 2 comes from cache|header Authorization is "undefined"/,
    both: [
      "other-authorization", "other-authorization-public", "other-authorization-must-revalidate", "other-authorization-smaxage",
    ],
  },
  {
    why:
      "`Surrogate-Control` is of a W3C Note of 2001, and no standard. It is not read, and not kept with a page; sites have " +
      "`CDN-Cache-Control` for the same (RFC 9213)",
    says: /Response 2 (comes from cache \[200 HIT\]|does not come from cache \[200 SKIP\])|Surrogate-Capability header not present|Surrogate-Control is "null"/,
    both: [
      "surrogate-max-age-0-expires", "surrogate-max-age-long-cc-max-age", "surrogate-no-store-cc-fresh",
      "surrogate-fresh-cc-nostore", "surrogate-append-capabilities", "surrogate-remove-header",
    ],
    plain: [
      "surrogate-max-age-age", "surrogate-max-age-0", "surrogate-no-store",
    ],
    shared: [
      "surrogate-max-age", "surrogate-max-age-max", "surrogate-max-age-max-plus", "surrogate-max-age-me-target",
      "surrogate-max-age-extension", "surrogate-max-age-case-insensitive", "surrogate-max-age-expires",
      "surrogate-max-age-cc-max-age-invalid-expires", "surrogate-max-age-short-cc-max-age",
    ],
  },
  {
    why:
      "A page with `no-cache` is of no use without validation, and is not stored; with field names too, which RFC 9111 " +
      "§5.2.2.4 permits to take for the plain form",
    says: /Response 2 (status is 502, not 200|does not come from cache \[200 SKIP\])/,
    both: [
      "cc-resp-no-cache-revalidate", "cc-resp-no-cache-revalidate-fresh",
      "headers-omit-headers-listed-in-Cache-Control-no-cache-single", "headers-omit-headers-listed-in-Cache-Control-no-cache",
    ],
  },
  {
    why: "A page that is stale when it comes is not stored",
    says: /Response 2 does not come from cache/,
    shared: [
      "stale-warning-stored", "ccreq-max-stale-age",
    ],
  },
  {
    why: "`Warning` is obsolete (RFC 9111 §5.5)",
    says: /warning header not present\. \[200 STALE\]/,
    shared: [
      "stale-warning-become",
    ],
  },
  {
    why:
      "Visitors' `Cache-Control` is not obeyed (RFC 9111 §5.2.1 makes it advice): else anybody could have a page rendered for " +
      "everybody",
    says: /Response 2 (comes from cache \[200 HIT\]|does not come from cache \[200 SKIP\])|wasn't sent to server \[200 HIT\]|status is 200, not 504/,
    both: [
      "ccreq-ma0", "ccreq-ma1", "ccreq-magreaterage", "ccreq-min-fresh", "ccreq-min-fresh-age", "ccreq-no-cache",
      "ccreq-no-cache-lm", "ccreq-no-store", "ccreq-oic",
    ],
    shared: [
      "ccreq-max-stale",
    ],
  },
  {
    why: "Only answers to GET are stored",
    says: /Response 2 does not come from cache/,
    both: [
      "method-POST",
    ],
  },
  {
    why: "Only the statuses that a route may list are stored; 204, 206 and failures never",
    says: /Response 2 does not come from cache \[\d+ SKIP\]/,
    both: [
      "heuristic-204-cached", "heuristic-405-cached", "heuristic-501-cached", "heuristic-599-cached", "status-204-fresh",
      "status-299-fresh", "status-400-fresh", "status-499-fresh", "status-500-fresh", "status-502-fresh", "status-503-fresh",
      "status-504-fresh", "status-599-fresh",
    ],
  },
  {
    why:
      "A HEAD is answered from the stored GET, and a page that is cold or stale is rendered by GET: a HEAD of the site updates " +
      "nothing",
    says: /Request 2 had method GET|Template-A is "null"|status is 410/,
    shared: [
      "head-200-retain", "head-200-freshness-update", "head-200-update", "head-410-update",
    ],
  },
  {
    why:
      "Parts are cut out of whole pages; what the site sends of them is not stored, and it is never asked for the rest (RFC " +
      "9111 §3.3, §3.4)",
    says: /Response 2 does not come from cache|header range is "undefined"/,
    both: [
      "partial-store-partial-reuse-partial", "partial-store-partial-reuse-partial-byterange",
      "partial-store-partial-reuse-partial-absent", "partial-store-partial-reuse-partial-suffix",
      "partial-store-partial-complete",
    ],
  },
  {
    why:
      "What is no entity tag can't be compared (RFC 9110 §8.8.3): the site's is replaced, a visitor's matches nothing, and " +
      "none is mended",
    says: /status is 200, not 304|Response 1 header ETag is "null"|header If-None-Match is "abcdef"/,
    both: [
      "conditional-etag-quoted-respond-unquoted", "conditional-etag-unquoted-respond-unquoted",
      "conditional-etag-unquoted-respond-quoted", "conditional-etag-weak-respond-lowercase",
      "conditional-etag-weak-respond-backslash", "conditional-etag-weak-respond-omit-slash",
      "conditional-etag-strong-generate-unquoted", "ccreq-no-cache-etag",
    ],
    shared: [
      "conditional-etag-forward-unquoted",
    ],
  },
  {
    why: "A visitor's conditions are not handed to a render",
    says: /header If-None-Match is "undefined"/,
    plain: [
      "conditional-etag-forward", "conditional-etag-forward-unquoted",
    ],
  },
  {
    why: "The platform takes headers for UTF-8: other bytes are lost",
    says: /status is 200, not 304/,
    both: [
      "conditional-etag-strong-respond-obs-text",
    ],
  },
  {
    why: "`If-Modified-Since` is earlier than `Date`, which stands in for `Last-Modified`: RFC 9111 §4.3.2 has no 304 for that",
    says: /status is 200, not 304/,
    both: [
      "conditional-lm-fresh-no-lm",
    ],
  },
  {
    why: "A route lists no header in `vary`, so nothing with that `Vary` is stored",
    says: /Response [23] does not come from cache|status is 502/,
    plain: [
      "vary-match", "vary-invalidate", "vary-cache-key", "vary-2-match", "vary-3-match", "vary-3-omit", "vary-normalise-combine",
      "vary-normalise-lang-order", "vary-normalise-lang-case", "vary-normalise-lang-space", "vary-normalise-lang-select",
      "vary-normalise-space", "conditional-etag-vary-headers", "conditional-etag-vary-headers-mismatch",
    ],
  },
  {
    why: "What one prefers decides on the variant, and of equal weights the first: `en, de` and `de, en` are two",
    says: /Response 2 does not come from cache/,
    shared: [
      "vary-normalise-lang-order", "vary-normalise-lang-select",
    ],
  },
  {
    why:
      "A lifetime that can't be read is 0, and of two the first counts, as RFC 9111 §4.2.1 advises; spaces around `=` do no " +
      "harm",
    says: /Response 2 (comes|does not come) from cache/,
    shared: [
      "freshness-max-age-space-before-equals", "freshness-max-age-space-after-equals", "freshness-max-age-decimal-zero",
      "freshness-max-age-decimal-five", "freshness-max-age-a100", "freshness-max-age-100a",
      "freshness-max-age-two-stale-fresh-sameline", "freshness-max-age-two-stale-fresh-sepline",
    ],
  },
  {
    why: "`Expires` is not read: here it has only been put into `s-maxage` where the suite gives it as a number",
    says: /Response 2 does not come from cache \[200 SKIP\]/,
    shared: [
      "freshness-expires-32bit", "freshness-expires-far-future", "freshness-expires-rfc850", "freshness-expires-ansi-c",
      "freshness-expires-wrong-case-weekday", "freshness-expires-wrong-case-month", "freshness-expires-wrong-case-tz",
      "freshness-expires-invalid-utc", "freshness-expires-invalid-aest", "freshness-expires-invalid-2-digit-year",
      "freshness-expires-invalid-no-comma", "freshness-expires-invalid-multiple-spaces", "freshness-expires-invalid-date-dashes",
      "freshness-expires-invalid-time-periods", "freshness-expires-invalid-1-digit-hour",
      "freshness-expires-invalid-multiple-lines",
    ],
  },
  {
    why:
      "There is no heuristic freshness, which RFC 9111 §4.2.2 permits and demands nowhere: where the suite's site says nothing " +
      "of a lifetime, it says `s-maxage=0` here",
    says: /Response 2 does not come from cache \[\d+ SKIP\]/,
    shared: [
      "heuristic-200-cached", "heuristic-203-cached", "heuristic-404-cached", "heuristic-410-cached", "heuristic-414-cached",
      "heuristic-delta-5", "heuristic-delta-10", "heuristic-delta-30", "heuristic-delta-60", "heuristic-delta-300",
      "heuristic-delta-600", "heuristic-delta-1200", "heuristic-delta-1800", "heuristic-delta-3600", "heuristic-delta-43200",
      "heuristic-delta-86400", "pragma-response-no-cache-heuristic", "other-heuristic-content-disposition-attachment",
    ],
  },
];

const listed = new Map();
for (const deviation of deviations) {
  for (const dialect of ["plain", "shared"]) {
    for (const id of [...(deviation.both ?? []), ...(deviation[dialect] ?? [])]) listed.set(`${id}/${dialect}`, deviation);
  }
}

/** The deviation that a test is one of; nothing if it is to pass. */
export const deviationOf = (id, dialect) => listed.get(`${id}/${dialect}`);

/** Tells whether that is what is to come of a test: `why` is what the suite says of one that does not pass. */
export function isExpected(id, dialect, why) {
  const deviation = deviationOf(id, dialect);
  return why === undefined ? deviation === undefined : deviation !== undefined && deviation.says.test(why);
}
