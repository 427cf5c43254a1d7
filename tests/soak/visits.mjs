/**
 * The clients of the soak test, and what they check of each response.
 *
 * | promise | checked of a response |
 * |---|---|
 * | freshness | a HIT or MISS that was asked for `freshness_bound` after an acknowledged invalidation shows that edit or a later one |
 * | purge | so does every response, if the invalidation was a purge and edges can reach the tag index |
 * | age | nothing is older than its freshness lifetime (HIT) or its stale window (STALE) |
 * | integrity | the body is whole, and the requested page's |
 * | availability | no page gets a 5xx that the origin has not failed itself |
 */
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { COLOS, HOST } from "./runtime.mjs";
import { EXPIRE, REVALIDATE, read } from "./site.mjs";

/** How long a page is counted as failing after the origin failed it: its back-off may be as long. */
const FAILING_MILLIS = 400_000;

/** How long the state of a fault may last behind its end: calls that began during it time out. */
const AFTERMATH_MILLIS = 10_000;

/** The unsharpness of the clocks and of the ages that are counted in whole seconds, in milliseconds. */
const GRACE_MILLIS = 1500;

/** The most violations of a kind that are described. */
const MAX_DESCRIBED = 5;

/** How long a client waits for a response. */
const PATIENCE_MILLIS = 30_000;

export class Visits {
  requests = 0;
  /** The number of responses by `X-ISR-Status`. */
  outcomes = new Map();
  /** Responses with an error that the faults explain. */
  explained = 0;
  /** Requests that a kill has cut off. */
  cutOff = 0;
  /** By kind: how many, and the first of them. */
  violations = new Map();
  slowest = 0;
  #agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
  /** The edit and the time of the body behind an entity tag, of recent responses. */
  #etags = new Map();
  #site;
  #runtime;
  #faults;
  #isOver = false;

  constructor(site, runtime, faults) {
    this.#site = site;
    this.#runtime = runtime;
    this.#faults = faults;
  }

  /** Runs clients until {@link stop}. */
  async run(clients) {
    await Promise.all(Array.from({ length: clients }, (_, n) => this.#client(n)));
  }

  stop() {
    this.#isOver = true;
  }

  close() {
    this.#agent.destroy();
  }

  async #client(n) {
    await sleep(n * 20);
    while (!this.#isOver) {
      const colo = COLOS[Math.floor(Math.random() * COLOS.length)];
      await this.visit(this.#somePage(), colo);
      await sleep(40 + Math.random() * 160);
    }
  }

  /** A page: a few are asked for often, and most of them rarely. */
  #somePage() {
    const { list } = this.#site;
    return list[Math.floor(list.length * Math.random() ** 4)];
  }

  /** Asks for a page, and checks the response. Returns the response; `undefined` if the runtime was down. */
  async visit(page, colo, headers = this.#someHeaders(page)) {
    const address = this.#runtime.address(colo);
    if (!address) return void (await sleep(200));
    const { life } = this.#site;
    const asked = Date.now();
    let response;
    try {
      response = await this.#request(address, page.path, headers);
    } catch (error) {
      if (this.#site.life !== life || !this.#runtime.address(colo)) this.cutOff += 1;
      else if (this.#mayFail(page, asked)) this.explained += 1;
      else this.#violated("no response", `${page.path} in ${colo}: ${error.message}`);
      return undefined;
    }
    this.requests += 1;
    this.slowest = Math.max(this.slowest, Date.now() - asked);
    const status = response.headers["x-isr-status"] ?? "none";
    this.outcomes.set(status, (this.outcomes.get(status) ?? 0) + 1);
    this.#check(page, colo, asked, { ...response, isr: status });
    return { ...response, isr: status };
  }

  /** A returning visitor asks whether his copy is still good. */
  #someHeaders(page) {
    const etag = Math.random() < 0.2 ? this.#etags.get(page.path)?.etag : undefined;
    return etag ? { "if-none-match": etag } : {};
  }

  async #request(address, path, headers) {
    try {
      return await this.#requestOnce(address, path, headers);
    } catch (error) {
      // The runtime closes idle connections, and may do so at the moment at which one is used again (RFC 9110 §9.2.2).
      if (!error.isOfIdleConnection) throw error;
      return await this.#requestOnce(address, path, headers);
    }
  }

  #requestOnce(address, path, headers) {
    return new Promise((resolve, reject) => {
      const options = { headers: { host: HOST, ...headers }, agent: this.#agent, signal: AbortSignal.timeout(PATIENCE_MILLIS) };
      const request = http.get(new URL(path, address), options, async (response) => {
        try {
          const body = Buffer.concat(await response.toArray());
          resolve({ status: response.statusCode, headers: response.headers, body });
        } catch (error) {
          reject(error);
        }
      });
      request.on("error", (error) => {
        error.isOfIdleConnection = request.reusedSocket && error.code === "ECONNRESET" && request.res === null;
        reject(error);
      });
    });
  }

  #check(page, colo, asked, { status, isr, headers, body }) {
    const where = `${page.path} in ${colo}, ${status} ${isr}, ${headers["cache-status"]}`;
    if (status >= 500 || status === 429) {
      if (this.#mayFail(page, asked)) this.explained += 1;
      else this.#violated("availability", where);
      return;
    }
    const remembered = this.#etags.get(page.path);
    const shown = status === 304 ? (remembered?.etag === headers.etag ? remembered : undefined) : read(body);
    if (status === 304 && shown === undefined) return;
    if (status !== 200 && status !== 304) return this.#violated("status", where);
    if (shown === undefined || shown.path !== page.path) {
      if (this.#mayFail(page, asked)) this.explained += 1;
      else this.#violated("integrity", `${where}, ${body.length} bytes`);
      return;
    }
    if (headers.etag) this.#etags.set(page.path, { etag: headers.etag, ...shown });
    this.#checkFreshness(page, asked, isr, shown, where);
    this.#checkAge(page, isr, shown, where);
  }

  #checkFreshness(page, asked, isr, shown, where) {
    const isFresh = isr === "HIT" || isr === "MISS";
    const { promised, purged } = page;
    if (isFresh && asked >= promised.since && shown.edit < promised.edit) {
      this.#violated("freshness", `${where}: edit ${shown.edit}, ${asked - promised.since} ms after ${promised.edit} was promised (${promised.mode})`);
    }
    if (asked >= purged.since && shown.edit < purged.edit && !this.#faults.lasted("tagIndex", asked - AFTERMATH_MILLIS)) {
      this.#violated("purge", `${where}: edit ${shown.edit}, ${asked - purged.since} ms after ${purged.edit} was purged`);
    }
  }

  #checkAge(page, isr, shown, where) {
    const ages = page.path.startsWith("/aging/");
    const age = Date.now() - shown.at;
    // A stale-if-error fallback may be as old as a stale page.
    const most = isr === "HIT" ? REVALIDATE : REVALIDATE + EXPIRE;
    // The response itself may have been slow.
    if (ages && (isr === "HIT" || isr === "STALE") && age > most * 1000 + GRACE_MILLIS + this.#faults.latencyMillis) {
      this.#violated("age", `${where}: ${age} ms`);
    }
  }

  /** Returns whether the origin explains an error of a page. */
  #mayFail(page, asked) {
    return page.failedAt > asked - FAILING_MILLIS || this.#faults.lasted("originDown", asked - AFTERMATH_MILLIS);
  }

  #violated(kind, what) {
    const { count = 0, first = [] } = this.violations.get(kind) ?? {};
    const line = `${new Date().toISOString()} ${what}`;
    this.violations.set(kind, { count: count + 1, first: count < MAX_DESCRIBED ? [...first, line] : first });
  }

  /** Records a violation that a single response does not show. */
  report(kind, what) {
    this.#violated(kind, what);
  }
}
