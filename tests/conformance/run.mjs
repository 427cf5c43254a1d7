/**
 * Runs npm's `http-cache-tests`, the public suite behind cache-tests.fyi, against the gateway. The suite has its own
 * client and its own origin. This file adapts it to a cache that renders:
 *
 * - The suite's origin distinguishes requests by a header of its client. A render has no header of a client, so the
 *   origin gets the name of the current test instead (`current`).
 * - If a response may not be stored, the gateway sends the client's own request to the origin as well, and it repeats a
 *   render whose connection broke. The suite takes that for a client that retries. The two requests count as one here
 *   (`forgetRender`).
 * - After a failed render, the gateway does not render the page again for about a second: clients get a 503, which the
 *   suite takes for a stored response. A test that continues after a failure pauses there.
 * - The gateway sends its own values of the headers in `MADE_ANEW`. So the suite's general check that every header of
 *   the origin arrives leaves them out, as its own tests for surrogates do. What a test requires of them in particular
 *   still counts.
 */
import { createServer } from "node:http";
import { availableParallelism } from "node:os";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";

import * as client from "http-cache-tests/client/config.mjs";
import { makeCacheTest, testResults } from "http-cache-tests/client/test.mjs";
import handleTest from "http-cache-tests/server/handle-test.mjs";
import { setConfig, stash } from "http-cache-tests/server/utils.mjs";
import groups from "http-cache-tests/tests/index.mjs";
import surrogate from "http-cache-tests/tests/surrogate-control.mjs";

/**
 * With how many requests under way no other test begins. Half of the tests pause until a copy is stale, and have none meanwhile: else there
 * would be nothing to do. Tests that go on after their pause are not held up, lest they be late for what they look at.
 */
const AT_A_TIME = 16 * availableParallelism();

/**
 * How often a test is run whose outcome is not the expected one. Several count in whole seconds: a busy machine may be late for a copy that is
 * fresh for two of them, or the clock may go on between an answer of the site and the end of its render. So the next attempt is
 * made once all others are through.
 */
const ATTEMPTS = 3;

/** Headers of the site that a visitor does not get as they are: docs/http.md, Headers. */
const MADE_ANEW = new Set([
  "age", "cache-control", "cdn-cache-control", "content-encoding", "content-length", "date", "expires", "pragma", "set-cookie",
  "set-cookie2", "surrogate-control", "vary",
]);

/** The groups of the suite, without what is for browsers only. */
export const suite = [...groups, surrogate].map(({ id, name, tests }) => ({
  id, name, tests: tests.filter((test) => !test.browser_only).map((test) => ({ kind: "required", ...test })),
}));

/**
 * In which words the suite's site says how long a page is fresh.
 *
 * - `plain`: as the suite has it. `max-age` of `Cache-Control`, and `Expires`, are for browsers here, so the route's lifetime counts.
 * - `standard`: as the suite has it, of a gateway whose routes have `http = "standard"`.
 * - `shared`: the same lifetimes in words that are for this cache: `s-maxage`. A page that says nothing of it is not fresh, as the suite asks
 *   caches to be set up.
 */
export const dialects = {
  plain: (headers) => headers,
  shared: (headers) => {
    const says = (pattern) => headers.some(([name, value]) => name.toLowerCase() === "cache-control" && pattern.test(value));
    if (says(/s-maxage/i)) return headers;
    if (says(/max-age/i)) {
      return headers.map(([name, value, ...rest]) =>
        name.toLowerCase() === "cache-control" ? [name, value.replace(/(max)-(age)/gi, "s-$1$2"), ...rest] : [name, value, ...rest]);
    }
    const [expires, date] = ["expires", "date"].map((wanted) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1]);
    return [...headers, ["Cache-Control", `s-maxage=${Number.isInteger(expires) ? Math.max(0, expires - (Number.isInteger(date) ? date : 0)) : 0}`]];
  },
  standard: (headers) => headers,
};

/** Routes for a gateway that the suite is run against. There are many shards, lest tests of failing sites open the breaker for others. */
const route = { revalidate: 3600, expire: 0, stale_if_error: 60, query: "all", set_cookie: "strip", shards: 32, statuses: [200, 203, 301, 302, 303, 307, 308, 404, 410, 414] };
const vary = { language: ["en", "de"], header: { Abc: ["123"], Foo: ["1", "2"], Bar: ["abc"], Baz: ["789"] } };
export const routes = { "/test/[...rest]": route, "/varied/[...rest]": { ...route, shards: 8, vary } };

/** The dialects that are asked of a gateway whose top level has `http = "standard"`. */
export const byStandard = new Set(["standard"]);

/** The tests of `Vary` that are asked of the second route, in the dialect of sites that know this cache. */
const varied = new Set(suite.flatMap(({ tests }) => tests.flatMap(({ id }) => (/\bvary\b/.test(id) ? [`${id}/shared`, `${id}/standard`] : []))));

/** Which request of which test the client is at, by the test's token. */
const current = new Map();

/** A test that wants two clocks to show the same second: its site answers at the beginning of one. */
const ON_THE_SECOND = "other-date-update";
const tokenOf = (url) => url.match(/[0-9a-f-]{36}/)[0];

/** Starts the suite's site. */
export async function startSite() {
  const warmUp = (_, request, response) => response.end("warm");
  const handlers = { test: handleTest, "warm-up": warmUp };
  const site = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const [kind, ...rest] = new URL(request.url, "http://site").pathname.replace(/^\/varied/, "").slice(1).split("/");
    if (kind === "test") {
      const { test, number } = current.get(tokenOf(request.url));
      if (test.startsWith(`${ON_THE_SECOND}/`)) await sleep(1000 - (Date.now() % 1000));
      request.headers["req-num"] ??= number;
      forgetRender(tokenOf(request.url), number);
    }
    // RFC 9112 §6.3: a body with a transfer coding of its own ends with the connection. Node.js doesn't know of that.
    response.on("finish", () => response.hasHeader("transfer-encoding") && request.socket.end());
    handlers[kind](rest, request, response);
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  return site;
}

/** Forgets the latest request to the site, if it was a render for the same request of the client. */
function forgetRender(token, number) {
  const seen = stash.get(token) ?? [];
  const latest = seen.at(-1);
  if (latest?.request_num === Number(number) && !("test-id" in latest.request_headers)) stash.set(token, seen.slice(0, -1));
}

/** What came of the latest request of a test: the suite does not tell a stored answer from one of the gateway's own. */
const latest = new Map();

/** How many requests of the suite's client the gateway has not answered yet, and who waits for fewer. */
let underWay = 0;
let fewer = () => {};

/** Has the suite's site take the requests of a test, and tell what it has seen of it. That is not asked of the gateway. */
const ownCalls = {
  config: (token, body) => (setConfig(token, JSON.parse(body)), { status: 201 }),
  state: (token) => ({ status: stash.has(token) ? 200 : 404, text: async () => JSON.stringify(stash.get(token)) }),
};

/** Sends a request of the suite's client to the gateway. The suite reads no more of an answer than this. */
const fetchFrom = (gateways) => async (url, { method, headers = [], body } = {}) => {
  const own = ownCalls[url.split("/")[1]];
  if (own) return own(tokenOf(url), body);
  const lines = {};
  for (const [name, value] of headers) lines[name] = name in lines ? [lines[name], value].flat() : value;
  if (body) lines["Content-Length"] = Buffer.byteLength(body);
  if (lines["Req-Num"]) current.set(tokenOf(url), { test: lines["Test-ID"], number: lines["Req-Num"] });
  const dialect = lines["Test-ID"]?.split("/")[1];
  const isr = byStandard.has(dialect) ? gateways.standard : gateways.isr;
  const isVaried = varied.has(lines["Test-ID"]?.replace(/\/\d+$/, ""));
  underWay += 1;
  const answer = await isr.fetch(isVaried ? `/varied${url}` : url, { method, headers: lines, body }).finally(() => {
    underWay -= 1;
    fewer();
  });
  latest.set(lines["Test-ID"], `${answer.status} ${answer.isr ?? "passed"}`);
  return { status: answer.status, headers: answer.headers, text: async () => answer.text };
};

/** Returns whether a test pauses for three seconds after a request: because it says so, or for the back-off. */
const isPausedAfter = (request) => request.pause_after || request.response_status?.[0] >= 500;

/** The test as the suite's client is to run it. It writes into it, and finds results by its id. */
function prepared(test, dialect, id) {
  const requests = structuredClone(test.requests);
  for (const request of requests) {
    if (isPausedAfter(request)) request.pause_after = true;
    const headers = dialects[dialect](request.response_headers ?? []);
    request.response_headers = headers.map(([name, value, isChecked]) =>
      MADE_ANEW.has(name.toLowerCase()) ? [name, value, false] : [name, value, ...(isChecked === undefined ? [] : [isChecked])]);
  }
  return { ...test, requests, id };
}

/** Runs a test once. Returns nothing if it passes, else what the suite says of it and `[status X-ISR-Status]` of the last answer. */
async function attempt(test, dialect, id) {
  await makeCacheTest(prepared(test, dialect, id));
  const result = testResults[id];
  return result === true ? undefined : `${result.join(": ")} [${latest.get(id)}]`;
}

/** Makes an attempt at each of these tests, those that pause first. Returns what has come of them: pairs of `id/dialect` and that. */
async function attemptAll(jobs, number) {
  const pauses = ({ test }) => test.requests.some(isPausedAfter);
  const attempts = [];
  for (const { test, dialect } of [...jobs.filter(pauses), ...jobs.filter((job) => !pauses(job))]) {
    while (underWay >= AT_A_TIME) await new Promise((resolve) => (fewer = resolve));
    const name = `${test.id}/${dialect}`;
    attempts.push(attempt(test, dialect, `${name}/${number}`).then((why) => [name, why]));
    // By then its first request is under way.
    await turn();
  }
  return Promise.all(attempts);
}

/**
 * Runs all tests in all dialects.
 * @param {Record<"isr" | "standard", { fetch: Function, untilStatus: Function }>} gateways as tests/e2e/harness.mjs starts them, by `http`
 * @param {(id: string, dialect: string, why?: string) => boolean} isExpected tells whether that is what is to come of a test
 * @returns {Promise<Map<string, (string | undefined)[]>>} by `id/dialect` what came of each attempt, the last of which counts: nothing if the
 * test has passed, else what the suite says of it
 */
export async function run(gateways, isExpected, asked = Object.keys(dialects)) {
  client.setFetch(fetchFrom(gateways));
  // Once a gateway knows what was invalidated (nothing), it need not ask again while this runs.
  await Promise.all(Object.values(gateways).map((isr) => isr.untilStatus("/varied/warm-up", "HIT")));
  const results = new Map();
  let jobs = suite.flatMap(({ tests }) => tests.flatMap((test) => asked.map((dialect) => ({ test, dialect }))));
  for (let number = 1; number <= ATTEMPTS && jobs.length > 0; number += 1) {
    for (const [name, why] of await attemptAll(jobs, number)) results.set(name, [...(results.get(name) ?? []), why]);
    jobs = jobs.filter(({ test, dialect }) => !isExpected(test.id, dialect, results.get(`${test.id}/${dialect}`).at(-1)));
  }
  return results;
}
