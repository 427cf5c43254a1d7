/**
 * The tests of the suite that do not pass, and why that is correct. All others pass. docs/http.md has the same list.
 *
 * `why` contains "(against ...)" where RFC 9111 requires something else. `says` is the suite's message about a test,
 * and at the end, in brackets, the gateway's last response: a test that fails for another reason does not match.
 * `plain`, `shared` and `standard` are the dialects of tests/conformance/run.mjs, and `both` is the first two; a test is
 * listed in the dialect in which its reason applies.
 */
export const deviations = [
  {
    why:
      "`max-age` of `Cache-Control`, and `Expires`, are for browsers (against RFC 9111 §4.2.1). The page is fresh for " +
      "as long as the route defines. So it is not stale yet, and the origin is not asked",
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
      "304-etag-update-response-ETag", "304-etag-update-response-Expires",
      "304-etag-update-response-Public-Key-Pins", "304-etag-update-response-Set-Cookie", "304-etag-update-response-Set-Cookie2",
      "304-etag-update-response-X-Frame-Options", "304-etag-update-response-X-XSS-Protection", "head-writethrough",
      "head-200-retain", "head-200-freshness-update", "head-200-update", "head-410-update", "stale-warning-stored",
      "stale-warning-become", "surrogate-max-age-other-target", "surrogate-max-age-space-before-equals",
      "surrogate-max-age-space-after-equals",
    ],
  },
  {
    why:
      "`s-maxage` alone does not forbid stale responses (against RFC 9111 §5.2.2.10): the stale windows of the route " +
      "permit them. `expire = 0` with `stale_if_error = 0` forbids them",
    says: /Response 2 comes from cache \[200 STALE\]/,
    both: [
      "stale-close-s-maxage=2",
    ],
  },
  {
    why:
      "A POST, PUT or DELETE invalidates nothing (against RFC 9111 §4.4), because anybody can send one. An origin that " +
      "changes a page in this way calls `revalidatePath`",
    says: /Response 3 comes from cache \[200 HIT\]/,
    both: [
      "invalidate-POST", "invalidate-PUT", "invalidate-DELETE",
    ],
  },
  {
    why:
      "`Expires`, and `Cache-Control` without `max-age`, are not stored (against RFC 9111 §3.1): this cache tells " +
      "clients what they may keep",
    says: /Response 2 header (Cache-Control|Expires) is .*\[200 (HIT|MISS)\]/,
    both: [
      "headers-store-Expires",
    ],
    shared: [
      "headers-store-Cache-Control", "304-etag-update-response-Cache-Control", "304-etag-update-response-Expires",
    ],
  },
  {
    why: "A response with `Clear-Site-Data` changes the state of one client, and is never stored (RFC 9111 §3 permits this)",
    says: / \[\d+ (SKIP|passed)\]$/,
    both: [
      "headers-store-Clear-Site-Data", "304-etag-update-response-Clear-Site-Data",
    ],
  },
  {
    why: "`Set-Cookie` is not stored (against RFC 9111 §3.1): it belongs to one client, and is never shared",
    says: /Response 2 header Set-Cookie2? is "null".*\[200 (HIT|MISS|STALE)\]/,
    both: [
      "headers-store-Set-Cookie", "headers-store-Set-Cookie2",
    ],
    standard: [
      "headers-store-Set-Cookie", "headers-store-Set-Cookie2", "304-etag-update-response-Set-Cookie",
      "304-etag-update-response-Set-Cookie2",
    ],
    shared: [
      "304-etag-update-response-Set-Cookie", "304-etag-update-response-Set-Cookie2",
    ],
  },
  {
    why:
      "`Date` is not used for a page's age (against RFC 9111 §4.2.3): with a slow clock at the origin, no page would be " +
      "stored",
    says: /Response 2 comes from cache \[200 HIT\]/,
    shared: [
      "freshness-max-age-date",
    ],
  },
  {
    why:
      "A page with a lifetime of 0 is not stored, even if a 304 has confirmed it: the client's own request follows. " +
      "Where the suite's origin sends no lifetime with a 304, this run sends `s-maxage=0`. The suite's origin answers " +
      "999 to requests that do not validate, which counts as a failure here",
    says: /status is (502|503), not 200/,
    shared: [
      "cc-resp-must-revalidate-stale", "conditional-etag-strong-generate", "conditional-etag-weak-generate-weak",
      "conditional-etag-vary-headers", "conditional-etag-vary-headers-mismatch", "304-lm-use-stored-Test-Header",
    ],
  },
  {
    why:
      "An `Age` that is not a number is ignored, and the first value of a list is used, as RFC 9111 §5.1 specifies. The " +
      "suite treats these pages as stale",
    says: /Response 2 comes from cache \[200 HIT\]/,
    shared: [
      "age-parse-nonnumeric", "age-parse-negative", "age-parse-float", "age-parse-prefix-twoline", "age-parse-dup-0",
      "age-parse-dup-0-twoline", "age-parse-dup-old", "age-parse-parameter", "age-parse-numeric-parameter",
    ],
  },
  {
    why:
      "The URLs in `Location` and `Content-Location` of the response to a POST, PUT or DELETE are not invalidated. RFC " +
      "9111 §4.4 says MAY, where RFC 7234 said MUST",
    says: /Response 3 comes from cache \[200 HIT\]/,
    both: [
      "invalidate-POST-location", "invalidate-PUT-location", "invalidate-DELETE-location", "invalidate-M-SEARCH-location",
      "invalidate-POST-cl", "invalidate-PUT-cl", "invalidate-DELETE-cl",
    ],
  },
  {
    why: "The platform does not support this method (501)",
    says: /Response 2 status is 501/,
    both: [
      "invalidate-M-SEARCH", "invalidate-M-SEARCH-failed", "invalidate-M-SEARCH-cl",
    ],
    standard: [
      "invalidate-M-SEARCH", "invalidate-M-SEARCH-failed", "invalidate-M-SEARCH-cl",
    ],
  },
  {
    why:
      "The page is not served stale: the origin is down, and clients receive an error, as RFC 9111 §5.2.2 requires. The " +
      "suite treats every response that does not come from its origin as a stored one. None of the caches in its " +
      "published results passes",
    says: /Response 2 comes from cache \[(502 passed|503 SKIP)\]/,
    both: [
      "stale-close-no-cache",
    ],
    shared: [
      "stale-close-must-revalidate", "stale-close-proxy-revalidate",
    ],
    standard: [
      "stale-close-must-revalidate", "stale-close-proxy-revalidate", "stale-close-no-cache", "stale-close-s-maxage=2",
    ],
  },
  {
    why: "A response with a coding that cannot be decoded is not stored, nor a response that may be partial",
    says: /Response 2 does not come from cache \[200 SKIP\]|status is 502/,
    both: [
      "headers-store-Content-Encoding", "headers-store-Content-Range", "304-etag-update-response-Content-Encoding",
      "304-etag-update-response-Content-Range",
    ],
    standard: [
      "headers-store-Content-Encoding", "304-etag-update-response-Content-Encoding",
    ],
  },
  {
    why:
      "A render has no `Authorization` of a client, so RFC 9111 §3.5 does not apply: every client may see the stored " +
      "response. A page that must not be shared belongs to no route, or has `private`",
    says: /Response 2 comes from cache|header Authorization is "undefined"/,
    both: [
      "other-authorization", "other-authorization-public", "other-authorization-must-revalidate", "other-authorization-smaxage",
    ],
  },
  {
    why:
      "`Surrogate-Control` comes from a W3C Note of 2001 and is not a standard. It is neither read nor stored with a " +
      "page. Origins use `CDN-Cache-Control` for the same purpose (RFC 9213)",
    says: /Response 2 (comes from cache \[200 HIT\]|does not come from cache \[200 (SKIP|MISS)\])|Surrogate-Capability header not present|Surrogate-Control is "null"/,
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
    standard: [
      "surrogate-max-age-other-target", "surrogate-max-age-age", "surrogate-max-age-0", "surrogate-max-age-expires",
      "surrogate-max-age-cc-max-age-invalid-expires", "surrogate-max-age-0-expires", "surrogate-max-age-short-cc-max-age",
      "surrogate-max-age-long-cc-max-age", "surrogate-no-store", "surrogate-no-store-cc-fresh", "surrogate-fresh-cc-nostore",
      "surrogate-append-capabilities", "surrogate-remove-header",
    ],
  },
  {
    why:
      "A page with `no-cache` is useless without validation, and is not stored. The same applies to the form with field " +
      "names, which RFC 9111 §5.2.2.4 permits to treat like the plain form",
    says: /Response 2 (status is 502, not 200|does not come from cache \[200 SKIP\])/,
    both: [
      "cc-resp-no-cache-revalidate", "cc-resp-no-cache-revalidate-fresh",
      "headers-omit-headers-listed-in-Cache-Control-no-cache-single", "headers-omit-headers-listed-in-Cache-Control-no-cache",
    ],
    standard: [
      "cc-resp-no-cache-revalidate", "cc-resp-no-cache-revalidate-fresh",
      "headers-omit-headers-listed-in-Cache-Control-no-cache-single", "headers-omit-headers-listed-in-Cache-Control-no-cache",
    ],
  },
  {
    why: "A page that is stale when it arrives is not stored",
    says: /Response 2 does not come from cache/,
    shared: [
      "stale-warning-stored", "ccreq-max-stale-age",
    ],
    standard: [
      "stale-warning-stored", "ccreq-max-stale-age",
    ],
  },
  {
    why: "`Warning` is obsolete (RFC 9111 §5.5)",
    says: /warning header not present\. \[200 STALE\]/,
    shared: [
      "stale-warning-become",
    ],
    standard: [
      "stale-warning-become",
    ],
  },
  {
    why:
      "`Cache-Control` of clients has no effect (RFC 9111 §5.2.1 makes it advisory): otherwise any client could trigger " +
      "renders for all clients",
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
    why: "Only responses to GET are stored",
    says: /Response 2 does not come from cache/,
    both: [
      "method-POST",
    ],
    standard: [
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
    standard: [
      "heuristic-204-cached", "heuristic-405-cached", "heuristic-501-cached", "heuristic-599-cached", "status-204-fresh",
      "status-299-fresh", "status-400-fresh", "status-499-fresh", "status-500-fresh", "status-502-fresh", "status-503-fresh",
      "status-504-fresh", "status-599-fresh",
    ],
  },
  {
    why:
      "The stored GET response answers a HEAD, and a missing or stale page is rendered with GET. So a HEAD response of " +
      "the origin updates nothing",
    says: /Request 2 had method GET|Template-A is "null"|status is 410/,
    shared: [
      "head-200-retain", "head-200-freshness-update", "head-200-update", "head-410-update",
    ],
    standard: [
      "head-writethrough", "head-200-retain", "head-200-freshness-update", "head-200-update", "head-410-update",
    ],
  },
  {
    why:
      "Ranges are cut out of whole pages. Partial responses of the origin are not stored, and the cache never requests " +
      "the missing rest (RFC 9111 §3.3, §3.4)",
    says: /Response 2 does not come from cache|header range is "undefined"/,
    both: [
      "partial-store-partial-reuse-partial", "partial-store-partial-reuse-partial-byterange",
      "partial-store-partial-reuse-partial-absent", "partial-store-partial-reuse-partial-suffix",
      "partial-store-partial-complete",
    ],
    standard: [
      "partial-store-partial-reuse-partial", "partial-store-partial-reuse-partial-byterange",
      "partial-store-partial-reuse-partial-absent", "partial-store-partial-reuse-partial-suffix",
      "partial-store-partial-complete",
    ],
  },
  {
    why:
      "A value that is not an entity tag cannot be compared (RFC 9110 §8.8.3). The origin's is replaced, a client's " +
      "matches nothing, and none is corrected",
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
    standard: [
      "conditional-etag-quoted-respond-unquoted", "conditional-etag-unquoted-respond-unquoted",
      "conditional-etag-unquoted-respond-quoted", "conditional-etag-weak-respond-lowercase",
      "conditional-etag-weak-respond-backslash", "conditional-etag-weak-respond-omit-slash",
      "conditional-etag-strong-generate-unquoted",
    ],
  },
  {
    why: "A client's conditions are not forwarded to a render",
    says: /header If-None-Match is "undefined"/,
    plain: [
      "conditional-etag-forward", "conditional-etag-forward-unquoted",
    ],
    standard: [
      "conditional-etag-forward", "conditional-etag-forward-unquoted",
    ],
  },
  {
    why: "The platform decodes headers as UTF-8: other bytes are lost",
    says: /status is 200, not 304/,
    both: [
      "conditional-etag-strong-respond-obs-text",
    ],
    standard: [
      "conditional-etag-strong-respond-obs-text",
    ],
  },
  {
    why:
      "`If-Modified-Since` is earlier than `Date`, which is used in place of `Last-Modified`: RFC 9111 §4.3.2 has no " +
      "304 for this case",
    says: /status is 200, not 304/,
    both: [
      "conditional-lm-fresh-no-lm",
    ],
    standard: [
      "conditional-lm-fresh-no-lm",
    ],
  },
  {
    why: "A request with a header that the page's `Vary` names passes to the origin, unless the route lists the header in `vary`",
    says: /Response [23] does not come from cache|status is 502/,
    plain: [
      "vary-match", "vary-invalidate", "vary-cache-key", "vary-2-match", "vary-3-match", "vary-3-omit", "vary-normalise-combine",
      "vary-normalise-lang-order", "vary-normalise-lang-case", "vary-normalise-lang-space", "vary-normalise-lang-select",
      "vary-normalise-space", "conditional-etag-vary-headers", "conditional-etag-vary-headers-mismatch",
    ],
  },
  {
    why:
      "A render is a request of its own, without the header of the client that caused it. Its response is the one for " +
      "requests without the header, and is served to them",
    says: /Response 2 comes from cache \[200 HIT\]/,
    plain: [
      "vary-omit", "vary-2-match-omit",
    ],
  },
  {
    why:
      "The most preferred language selects the variant, and the first one if the weights are equal: `en, de` and `de, " +
      "en` are two variants",
    says: /Response 2 does not come from cache/,
    shared: [
      "vary-normalise-lang-order", "vary-normalise-lang-select",
    ],
    standard: [
      "vary-normalise-lang-order", "vary-normalise-lang-select",
    ],
  },
  {
    why:
      "An unreadable lifetime counts as 0, and the first of two lifetimes is used, as RFC 9111 §4.2.1 recommends; " +
      "spaces around `=` do no harm",
    says: /Response 2 (comes|does not come) from cache/,
    shared: [
      "freshness-max-age-space-before-equals", "freshness-max-age-space-after-equals", "freshness-max-age-decimal-zero",
      "freshness-max-age-decimal-five", "freshness-max-age-a100", "freshness-max-age-100a",
      "freshness-max-age-two-stale-fresh-sameline", "freshness-max-age-two-stale-fresh-sepline",
    ],
    standard: [
      "freshness-max-age-decimal-zero", "freshness-max-age-decimal-five", "freshness-max-age-space-before-equals",
      "freshness-max-age-space-after-equals", "freshness-max-age-a100", "freshness-max-age-100a",
      "freshness-max-age-two-stale-fresh-sameline", "freshness-max-age-two-stale-fresh-sepline",
    ],
  },
  {
    why: "`Expires` is not read. This run replaces it by `s-maxage` only where the suite gives it as a number",
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
      "There is no heuristic freshness, which RFC 9111 §4.2.2 permits and requires nowhere. Where the suite's origin " +
      "sends no lifetime, this run sends `s-maxage=0`",
    says: /Response 2 does not come from cache \[\d+ SKIP\]/,
    shared: [
      "heuristic-200-cached", "heuristic-203-cached", "heuristic-404-cached", "heuristic-410-cached", "heuristic-414-cached",
      "heuristic-delta-5", "heuristic-delta-10", "heuristic-delta-30", "heuristic-delta-60", "heuristic-delta-300",
      "heuristic-delta-600", "heuristic-delta-1200", "heuristic-delta-1800", "heuristic-delta-3600", "heuristic-delta-43200",
      "heuristic-delta-86400", "pragma-response-no-cache-heuristic", "other-heuristic-content-disposition-attachment",
    ],
  },
  {
    why: "The first value of a list in `Age` is used, as RFC 9111 §5.1 recommends. The suite treats a list as stale",
    says: /Response 2 comes from cache \[200 HIT\]/,
    standard: [
      "age-parse-prefix-twoline", "age-parse-dup-0", "age-parse-dup-0-twoline", "age-parse-dup-old",
    ],
  },
  {
    why:
      "A 304 with another `ETag` than the stored page's is not about that page, and must not update it (RFC 9111 " +
      "§4.3.4). The page is rendered again, unconditionally. The suite's origin answers 999 to that",
    says: /request 2 doesn't have if-none-match header|Response 2 header .*\[200 STALE\]/,
    shared: [
      "304-etag-update-response-ETag",
    ],
    standard: [
      "304-etag-update-response-ETag",
    ],
  },
  {
    why: "A variant is a page of its own. The validator of another variant is not sent for it",
    says: /status is 503, not 200 \[503 SKIP\]|status is 502/,
    standard: [
      "conditional-etag-vary-headers-mismatch",
    ],
  },
  {
    why: "The route's `revalidate` is the lifetime of a response that states none (RFC 9111 §4.2.2)",
    says: /Response 2 comes from cache \[200 HIT\]/,
    standard: [
      "freshness-none",
    ],
  },
  {
    why:
      "Dates are read in the forms of RFC 9110 §5.6.7, with the right weekday. Any other `Expires` is in the past (RFC " +
      "9111 §5.3)",
    says: /Response 2 does not come from cache \[200 SKIP\]/,
    standard: [
      "freshness-expires-32bit", "freshness-expires-far-future", "freshness-expires-ansi-c",
      "freshness-expires-wrong-case-weekday", "freshness-expires-wrong-case-month", "freshness-expires-wrong-case-tz",
      "freshness-expires-invalid-utc", "freshness-expires-invalid-aest", "freshness-expires-invalid-2-digit-year",
      "freshness-expires-invalid-no-comma", "freshness-expires-invalid-multiple-spaces", "freshness-expires-invalid-date-dashes",
      "freshness-expires-invalid-time-periods", "freshness-expires-invalid-1-digit-hour",
      "freshness-expires-invalid-multiple-lines",
    ],
  },
  {
    why: "`max-stale` of a request has no effect, which RFC 9111 §5.2.1.2 permits",
    says: /Response 2 does not come from cache/,
    standard: [
      "ccreq-max-stale",
    ],
  },
  {
    why: "A request with `no-cache` passes to the origin. The stored page is not validated by it",
    says: /status is 502, not 200 \[502 passed\]/,
    standard: [
      "ccreq-no-cache-lm", "ccreq-no-cache-etag",
    ],
  },
  {
    why:
      "A request with `Authorization` passes to the origin, and its response is never stored, though RFC 9111 §3.5 " +
      "permits that with some directives",
    says: /Response 2 does not come from cache/,
    standard: [
      "other-authorization-public", "other-authorization-must-revalidate", "other-authorization-smaxage",
    ],
  },
];

/** The tests that a deviation lists in a dialect. */
export const listedIn = (deviation, dialect) => [...(dialect === "standard" ? [] : (deviation.both ?? [])), ...(deviation[dialect] ?? [])];

const listed = new Map();
for (const deviation of deviations) {
  for (const dialect of ["plain", "standard", "shared"]) {
    for (const id of listedIn(deviation, dialect)) listed.set(`${id}/${dialect}`, deviation);
  }
}

/** The deviation that a test is one of; nothing if it is to pass. */
export const deviationOf = (id, dialect) => listed.get(`${id}/${dialect}`);

/** Returns whether a test has the expected result: `why` is the suite's message for a test that does not pass. */
export function isExpected(id, dialect, why) {
  const deviation = deviationOf(id, dialect);
  return why === undefined ? deviation === undefined : deviation !== undefined && deviation.says.test(why);
}
