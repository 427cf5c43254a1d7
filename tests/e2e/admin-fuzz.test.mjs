/**
 * Walks the OpenAPI document: sends valid and invalid parameters, methods and bodies to each path. No answer is a failure of
 * the gateway, and each is as the document says. `ISR_FUZZ_SEED` repeats a run, `ISR_FUZZ_ROUNDS` prolongs it.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { adminToken, config, host, start } from "./harness.mjs";
import { compile } from "./openapi.mjs";

const authorization = `Bearer ${adminToken}`;
const seed = Number(process.env.ISR_FUZZ_SEED ?? Date.now() % 2 ** 31);
const rounds = Number(process.env.ISR_FUZZ_ROUNDS ?? 40);

let isr, api;
/** Values that earlier answers contained: names of coordinators, keys, tags, cursors. */
const seen = new Set([`http://${host}/lab/a`, "/lab/a", "/lab/[name]#0", "/lab/[name]"]);

before(async () => {
  isr = await start({ isr: config({}, { "/lab/[name]": { shards: 2 } }) });
  for (const name of ["a", "b", "c"]) await isr.fetch(await isr.lab(name, { headers: { "Cache-Tag": `${name}, all` } }));
  await isr.revalidate({ tag: "a" });
  api = compile((await isr.fetch("/__isr/openapi.json", { headers: { authorization } })).json);
});

/** A small generator of random numbers (mulberry32). */
function randomness(state) {
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { below, pick: (list) => list[below(list.length)], chance: (part) => next() < part };
}

const odd = ["", " ", "0", "-1", "1.5", "null", "%", "%zz", "é", "\u0000", "\ud83d\ude00", "a,b", "/", "//", "/a?b", "/../..", "#", "a#0", "/#99999", "x".repeat(3000),
  "1@/a#0", "1@/a#0,2@/a#0", "9007199254740993", "18446744073709551616", "../openapi.json", "'; DROP TABLE entries; --", "[object Object]", "http://[", "http://isr.test:99999/"];

/** Makes a value for a schema: mostly one that it allows. */
function valueFor({ schema, example }, { below, pick, chance }) {
  if (chance(0.3)) return pick(odd);
  if (schema.enum) return pick(schema.enum);
  if (schema.type === "integer") return String(chance(0.8) ? 1 + below(schema.maximum ?? 20) : pick([0, -1, 1001, 2 ** 53]));
  return chance(0.3) ? (example ?? pick(odd)) : pick([...seen]);
}

/** Collects texts of an answer, for later questions. */
function learn(value) {
  if (typeof value === "string" && value.length < 500 && seen.size < 400) seen.add(value);
  else if (typeof value === "object" && value !== null) Object.values(value).forEach(learn);
}

function request({ path, method, operation }, random) {
  const parameters = operation.parameters ?? [];
  const query = [];
  for (const parameter of parameters.filter((parameter) => parameter.in === "query")) {
    if (parameter.required ? random.chance(0.9) : random.chance(0.4)) query.push([parameter.name, valueFor(parameter, random)]);
  }
  if (random.chance(0.1)) query.push([random.pick(["limit", "x", "after", "__proto__", ""]), random.pick(odd)]);
  const filled = path.replace("{seq}", () => encodeURIComponent(random.chance(0.5) ? String(random.below(5)) : random.pick(odd)));
  const text = random.chance(0.05) ? random.pick(["%", "&&&", "=", "a=b=c", "?"]) : new URLSearchParams(query).toString();
  const body = () => random.pick([{ path: "/lab/b" }, { tag: random.pick([...seen]) }, { mode: "stale" }, { tags: [1] }, [], "x", { everything: false }]);
  const sent = random.chance(0.1) ? random.pick(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) : method;
  return {
    url: `${filled}?${text}`,
    method: sent,
    headers: random.chance(0.05) ? {} : { authorization },
    // Node.js frames the body of these methods only.
    body: method === "POST" && ["POST", "PUT", "PATCH"].includes(sent) && random.chance(0.9) ? JSON.stringify(body()) : undefined,
  };
}

test(`random requests get answers as the document says, and never a failure (ISR_FUZZ_SEED=${seed})`, async () => {
  const random = randomness(seed);
  const statuses = new Map();
  for (let round = 0; round < rounds; round += 1) {
    for (const endpoint of api.operations) {
      const { url, ...options } = request(endpoint, random);
      const sent = `${options.method} ${url} ${options.body ?? ""}`;
      const answer = await isr.fetch(url, options);
      // The path of a placeholder may be another path, or none.
      const path = new URL(url, "http://x").pathname;
      const isSame = endpoint.path.endsWith("{seq}") ? /^\/__isr\/invalidations\/\d+$/.test(path) : path === endpoint.path;
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (!isSame || options.method === "HEAD") {
        assert.ok(answer.status < 500, `${sent}: ${answer.status}`);
        continue;
      }
      // A check may find something wrong with the deployment.
      if (!endpoint.path.endsWith("/health")) assert.ok(answer.status < 500, `${sent}: ${answer.status} ${answer.text}`);
      if (options.method !== endpoint.method) assert.equal(answer.status, 405, sent);
      const isText = answer.headers.get("content-type").startsWith("text/plain");
      const problems = api.problems(endpoint.operation, answer.status, isText ? answer.text : answer.json);
      assert.equal(problems, undefined, `${sent}: ${answer.status} ${answer.text}`);
      assert.equal(answer.headers.get("cache-control"), "no-store", sent);
      if (answer.status === 200 && !/openapi\.json|metrics$/.test(endpoint.path)) learn(answer.json);
    }
  }
  for (const status of [200, 400, 401, 404, 405]) assert.ok(statuses.get(status) > 0, `${status}: ${JSON.stringify([...statuses])}`);
});
