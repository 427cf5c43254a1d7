/**
 * A rollback right after the deployment that changes the schema, with pages, renders, deliveries and an eager refresh under way.
 * Nothing is lost by it, and once the new version is deployed again, the refresh goes on until its receipt says that it is done.
 *
 * The databases are read after each SIGKILL, so what was under way is known, not assumed.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

import { COLOS, HOST } from "../soak/runtime.mjs";
import { Runtime } from "./runtime.mjs";

const PAGES = Array.from({ length: 60 }, (_, n) => `/aging/${n}`);
/** Pages whose renders take longer than the version lives that begins them. */
const SLOW = ["/lasting/slow-0", "/lasting/slow-1"];
const SLOW_MILLIS = 8_000;

/** Pages that each shard renders per second for an eager refresh: so few that it outlasts the kills, and at the end more. */
const [SLOWLY, FAST] = [1, 50];

const everything = (version) => ({ edges: COLOS.map(() => version), coordinator: version, tagIndex: version });

/** The origin: it counts renders, and never fails. */
class Origin {
  renders = new Map();
  isSlow = true;

  async listen() {
    this.server = http.createServer(async (request, response) => {
      const { pathname } = new URL(request.url, `https://${HOST}`);
      this.renders.set(pathname, (this.renders.get(pathname) ?? 0) + 1);
      if (this.isSlow && SLOW.includes(pathname)) await sleep(SLOW_MILLIS);
      response.setHeader("cache-tag", `tag-of-${pathname}`);
      response.setHeader("x-isr-revalidate", "false");
      response.end(`${this.renders.get(pathname)}`);
    });
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return this.server.address().port;
  }
}

/** Returns the sum of a number that a statement reads from each database of a class. */
async function sum(folder, ofClass, statement) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter(({ name, parentPath }) => parentPath.endsWith(ofClass) && name.endsWith(".sqlite"));
  const read = ({ name, parentPath }) => {
    const database = new DatabaseSync(path.join(parentPath, name));
    try {
      return Number(Object.values(database.prepare(statement).get())[0] ?? 0);
    } catch (error) {
      // The runtime has databases of its own in this folder.
      if (/no such table/.test(error.message)) return 0;
      throw error;
    } finally {
      database.close();
    }
  };
  return files.map(read).reduce((sum, number) => sum + number, 0);
}

/** Asks for a page at an edge. */
async function visit(runtime, page, colo = COLOS[0]) {
  const { port, hostname } = runtime.address(colo);
  const request = http.get({ port, hostname, path: page, headers: { host: HOST }, signal: AbortSignal.timeout(20_000) });
  const [response] = await once(request, "response");
  const body = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode, isr: response.headers["x-isr-status"], render: Number(body) };
}

const under = {
  leases: "SELECT COUNT(*) FROM leases",
  sweeps: "SELECT COUNT(*) FROM sweep_pages",
  pages: "SELECT COUNT(*) FROM entries WHERE version IS NOT NULL",
  steps: "SELECT MAX(version) FROM schema_versions",
  deliveries: "SELECT COUNT(*) FROM deliveries WHERE due IS NOT NULL",
};

/**
 * Sends invalidations while no coordinator answers, and kills the runtime. Returns how many deliveries are recorded and not made.
 * The machine decides how long recording takes, so it is tried several times.
 */
async function killedDuringDeliveries(runtime, folder) {
  for (const millis of [300, 1_000, 3_000]) {
    await runtime.kill();
    await runtime.start({ ...everything("new"), coordinator: "hanging" });
    const tags = PAGES.slice(0, 30).map((page) => ({ tag: `tag-of-${page}` }));
    const sent = tags.map((body) => runtime.admin("/__isr/revalidate", { body }).catch(() => undefined));
    await sleep(millis);
    await runtime.kill();
    await Promise.all(sent);
    const pending = await sum(folder, "IsrTagIndex", under.deliveries);
    if (pending > 0) return pending;
  }
  return 0;
}

/** Runs the story in a folder of its own. Fails if anything was lost. Returns a line for the report. */
export async function rollback({ previous, folder, expire }) {
  const origin = new Origin();
  const site = await origin.listen();
  const changes = { refresh_rate: SLOWLY };
  const runtime = new Runtime({ previous, site, folder, expire, changes });
  const coordinators = (statement) => sum(folder, "IsrCoordinator", statement);
  const progress = async (seq) => (await runtime.admin(`/__isr/invalidations/${seq}`)).json;
  try {
    await runtime.start(everything("old"));
    for (const page of PAGES) assert.equal((await visit(runtime, page)).status, 200);
    await runtime.kill();
    const steps = await coordinators(under.steps);

    // The new version changes the schema, begins an eager refresh and renders, and is killed during deliveries.
    await runtime.start(everything("new"));
    const refresh = { prefix: "/aging", mode: "stale", refresh: "eager" };
    const { json } = await runtime.admin("/__isr/revalidate", { body: refresh });
    const [{ seq, pages: { matched } }] = json.invalidations;
    assert.equal(matched, PAGES.length, JSON.stringify(json));
    const cutOff = SLOW.map((page) => visit(runtime, page).catch(() => undefined));
    await sleep(1_000);
    const left = { deliveries: await killedDuringDeliveries(runtime, folder) };
    await Promise.all(cutOff);
    for (const name of ["leases", "sweeps", "pages"]) left[name] = await coordinators(under[name]);
    assert.ok((await coordinators(under.steps)) > steps, "the new version has changed the schema");
    for (const [name, count] of Object.entries(left)) assert.ok(count > 0, `no ${name} under way: ${JSON.stringify(left)}`);
    assert.equal(left.pages, PAGES.length, "no page was lost");
    const last = await sum(folder, "IsrTagIndex", "SELECT MAX(seq) FROM invalidations");

    // The rollback. Every page is still there, and each invalidation that was recorded holds.
    origin.isSlow = false;
    await runtime.start(everything("old"));
    for (const page of PAGES.slice(0, 20)) {
      const { status, isr } = await visit(runtime, page);
      assert.deepEqual([status, ["HIT", "STALE", "MISS"].includes(isr)], [200, true], `${page}: ${isr}`);
    }
    await sleep(1_000);
    await runtime.kill();
    assert.equal(await coordinators(under.pages), PAGES.length, "no page was lost by the rollback");
    const pages = await coordinators(under.sweeps);
    assert.ok(pages > 0, "the refresh is under way still");

    // The new version again.
    changes.refresh_rate = FAST;
    await runtime.start(everything("new"));
    const told = await until(async () => {
      const { pages, shards } = await progress(seq);
      return pages.pending === 0 && pages.refreshed + pages.failed === matched && shards.pending === 0 && pages;
    });
    assert.equal(told.failed, 0, JSON.stringify(told));
    for (let number = 1; number <= last; number++) {
      await until(async () => (await progress(number)).shards?.pending === 0);
    }
    // An edge may serve its own stale copy once.
    for (const page of PAGES) {
      await until(async () => {
        const { status, isr, render } = await visit(runtime, page);
        assert.equal(status, 200, page);
        return isr === "HIT" && render >= 2;
      });
    }
    for (const page of SLOW) assert.equal((await visit(runtime, page)).status, 200);
    const most = Math.max(...origin.renders.values());
    return `rollback with ${JSON.stringify(left)} under way: refreshed ${told.refreshed} of ${matched}, at most ${most} renders of a page`;
  } finally {
    await runtime.kill();
    origin.server.closeAllConnections();
    origin.server.close();
  }
}

async function until(holds) {
  const deadline = Date.now() + 40_000;
  for (;;) {
    const result = await holds();
    if (result) return result;
    assert.ok(Date.now() < deadline, `not in time: ${holds}`);
    await sleep(200);
  }
}
