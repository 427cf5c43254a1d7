/**
 * Floods, and what they cost visitors of healthy pages: nothing. The short form of each flood is in the test command; the
 * figures in `docs/http.md` are of the long one: `ISR_E2E_FLOOD=20`.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { config, start } from "./harness.mjs";

/** How much longer each flood is than in the test command. */
const times = Number(process.env.ISR_E2E_FLOOD ?? 1);

/** Sends this many requests at a time. */
const AT_A_TIME = 100;

const MAX_PAGES = 300;

const site = createServer({ maxHeaderSize: 128 * 1024, keepAliveTimeout: 60_000 }, (request, response) => {
  const [, kind, name = ""] = request.url.split("/");
  const answers = {
    refuses: [429, {}],
    fails: [500, {}],
    missing: [404, {}],
    soft: [200, { "x-isr-revalidate": "false" }],
    well: [200, {}],
    long: [200, {}],
  };
  const [status, headers] = answers[kind];
  response.writeHead(status, { "content-type": "text/html", ...headers });
  response.end(`${status} ${kind} ${name.slice(0, 40)}`);
});

let isr;

before(async () => {
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  const routes = { "/*": { revalidate: 600, not_found_revalidate: 600, query: "none", max_pages: MAX_PAGES, shards: 1 } };
  isr = await start({ origin: null, isr: { ...config({ origin: `http://127.0.0.1:${site.address().port}` }), routes }, inspect: true });
});
after(() => site.close());

/** Visits healthy pages, known ones and new ones, until it is told to stop. Returns the counts of the answers. */
async function visitWell(name, isOver) {
  const counts = {};
  for (let n = 0; !isOver(); n += 1) {
    for (const path of [`/well/${name}-known`, `/well/${name}-${n}`]) {
      const { status, isr: outcome, text } = await isr.fetch(path);
      if (status === 200) assert.ok(text.startsWith("200 well"), text);
      const answer = `${status} ${outcome}`;
      counts[answer] = (counts[answer] ?? 0) + 1;
    }
    await sleep(100);
  }
  return counts;
}

/** Runs a flood beside visits of healthy pages, none of which may get an error. */
async function beside(t, name, flood) {
  const known = `/well/${name}-known`;
  for (let n = 0; n < 3; n += 1) await isr.fetch(known);
  const memoryBefore = await isr.memory();
  let isOver = false;
  const visits = visitWell(name, () => isOver);
  const began = performance.now();
  const flooded = {};
  try {
    await flood(({ status, isr: outcome }) => {
      const answer = `${status} ${outcome}`;
      flooded[answer] = (flooded[answer] ?? 0) + 1;
    });
  } finally {
    isOver = true;
  }
  const seconds = (performance.now() - began) / 1000;
  const healthy = await visits;
  const memory = await isr.memory();
  t.diagnostic(JSON.stringify({ name, seconds: Math.round(seconds), flooded, healthy, memoryBefore, memory }));
  for (const answer of Object.keys(healthy)) assert.ok(answer.startsWith("200"), `${answer} for a healthy page: ${JSON.stringify(healthy)}`);
  assert.equal((await isr.fetch(known)).isr, "HIT", "the page is still there");
  // An isolate of the platform has 128 MB.
  assert.ok(memory < 128, `${memoryBefore} MiB before, ${memory} MiB after`);
}

/** Requests `total` URLs. */
async function request(total, path, note) {
  for (let begin = 0; begin < total; begin += AT_A_TIME) {
    const some = Array.from({ length: Math.min(AT_A_TIME, total - begin) }, (_, n) => isr.fetch(path(begin + n), { timeout: 60_000 }));
    for (const answer of await Promise.all(some)) note(answer);
  }
}

test("twenty requests a second for pages that fail", async (t) => {
  for (const kind of ["refuses", "fails"]) {
    await beside(t, kind, async (note) => {
      for (let n = 0; n < 100 * times; n += 1) {
        await Promise.all([isr.fetch(`/${kind}/${n % 20}`).then(note), sleep(50)]);
      }
    });
  }
});

test("made-up URLs, more than the coordinator may keep: a new page is admitted meanwhile and afterwards", async (t) => {
  for (const kind of ["missing", "soft"]) {
    await beside(t, kind, (note) => request(1_000 * times, (n) => `/${kind}/${n}`, note));
    const path = `/well/after-${kind}`;
    const outcomes = [];
    while (outcomes.at(-1) !== "HIT" && outcomes.length < 10) outcomes.push((await isr.fetch(path)).isr);
    t.diagnostic(`a new page afterwards: ${outcomes.join(", ")}`);
    assert.equal(outcomes.at(-1), "HIT");
  }
});

test("URLs of 4 KB", async (t) => {
  const filling = "x".repeat(4_000);
  await beside(t, "long", (note) => request(2_500 * times, (n) => `/long/${n}-${filling}`, note));
  assert.deepEqual(isr.logs.filter((line) => /panicked|RuntimeError|exceeded/.test(line)), []);
});
