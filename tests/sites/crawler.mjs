/**
 * Visits every page of a site twice, at the site itself and through the gateway, and lists the differences that somebody who
 * owns the site would call a bug. Both are asked for the same host, so that pages must be the same, byte for byte.
 */
import http from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

import { host } from "./programs.mjs";

/** What a browser asks for. */
const BROWSER = {
  "accept-encoding": "gzip, deflate, br",
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "accept-language": "en-US,en;q=0.9",
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36",
};

/** Fields of a connection or of the moment, and those that the gateway adds: see docs/http.md. */
const OF_THE_MOMENT = ["connection", "keep-alive", "transfer-encoding", "date", "age", "alt-svc", "cf-cache-status"];
const OF_THE_GATEWAY = ["x-isr-status", "x-isr-cache-date", "cache-status"];
/** Fields that the gateway answers itself where it answers from its cache. */
const OF_A_CACHE = ["cache-control", "expires", "pragma", "vary", "content-encoding", "etag", "accept-ranges"];
/** Fields of draft mode: see docs/http.md. */
const OF_A_DRAFT = ["cache-control", "expires", "pragma"];
/** Fields that are for caches alone. */
const FOR_CACHES = ["cache-tag", "cdn-cache-control", "x-isr-revalidate", "x-nextjs-cache", "x-nextjs-prerender", "x-nextjs-stale-time"];

/** Sends a request to an address, for the host of the site. Redirects are not followed. */
export function ask(address, target, { method = "GET", headers = {}, body, timeout = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...BROWSER, ...headers, host }, signal: AbortSignal.timeout(timeout), agent: false };
    const request = http.request(address + target, options, async (response) => {
      try {
        const bytes = Buffer.concat(await response.toArray());
        const fields = Object.fromEntries(Object.entries(response.headersDistinct).map(([name, lines]) => [name, lines.join(name === "set-cookie" ? "\n" : ", ")]));
        resolve(new Answer(response.statusCode, fields, decoded(bytes, fields["content-encoding"])));
      } catch (error) {
        reject(new Error(`${method} ${target}: ${error.message}`));
      }
    });
    request.on("error", (error) => reject(new Error(`${method} ${address}${target}: ${error.message}`))).end(body);
  });
}

/** An answer that has been read to its end. */
class Answer {
  constructor(status, fields, body) {
    Object.assign(this, { status, fields, body });
  }

  get text() {
    return this.body.toString();
  }

  get type() {
    return (this.fields["content-type"] ?? "").split(";")[0];
  }

  /** How the gateway handled the request: `HIT`, or `SKIP query`, or `pass` where it has no route. */
  get outcome() {
    const status = this.fields["x-isr-status"] ?? "pass";
    const detail = /detail=([^;]+)/.exec(this.fields["cache-status"] ?? "")?.[1];
    return ["HIT", "MISS", "STALE"].includes(status) || detail === undefined ? status : `${status} ${detail}`;
  }

  get isCached() {
    return ["HIT", "MISS", "STALE"].includes(this.outcome);
  }
}

function decoded(bytes, coding) {
  if (bytes.length === 0) return bytes;
  return coding === "gzip" ? gunzipSync(bytes) : coding === "br" ? brotliDecompressSync(bytes) : bytes;
}

/**
 * Lists the differences between the site's own answer and the gateway's.
 * @param {Answer} direct
 * @param {Answer} through
 * @param {(text: string) => string} normalized replaces what differs between any two renders, such as a token
 */
export function differences(direct, through, normalized = (text) => text) {
  const found = [];
  const differ = (what, mine, theirs) => found.push(`${what}: ${short(mine)} directly, ${short(theirs)} through the gateway`);
  if (direct.status !== through.status) differ("status", direct.status, through.status);
  const isText = /text|json|xml|javascript/.test(direct.type);
  const bodies = [direct, through].map(({ body, text }) => (isText ? normalized(text) : body.toString("latin1")));
  if (bodies[0] !== bodies[1]) differ("body", ...around(...bodies));
  const ignored = [...OF_THE_MOMENT, ...OF_THE_GATEWAY, ...FOR_CACHES, ...(through.isCached ? OF_A_CACHE : ["content-encoding", "expires"]), ...(through.outcome === "BYPASS" ? OF_A_DRAFT : [])];
  for (const name of new Set([...Object.keys(direct.fields), ...Object.keys(through.fields)])) {
    const [mine, theirs] = [direct.fields[name], through.fields[name]];
    if (ignored.includes(name) || mine === theirs) continue;
    // A body whose length is not announced is chunked; tokens change the length of a body.
    if (name === "content-length" && (mine === undefined || theirs === undefined || (isText && bodies[0] === bodies[1]))) continue;
    if (normalized(mine ?? "") === normalized(theirs ?? "")) continue;
    differ(`field ${name}`, mine, theirs);
  }
  // A coding makes a strong tag weak. It must be the same otherwise.
  const [mine, theirs] = [direct.fields.etag, through.fields.etag].map((tag) => tag?.replace(/^W\//, ""));
  if (through.isCached && /^"/.test(mine) && mine !== theirs) differ("field etag", mine, theirs);
  return found;
}

/** Cuts two texts to where they begin to differ. */
function around(one, other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return [one, other].map((text) => `${text.length} bytes …${text.slice(Math.max(0, at - 60), at + 120)}…`);
}

function short(value) {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** Finds the URLs of the site that an answer names, as paths with their queries. */
export function links(answer, target) {
  const text = answer.text;
  const found = [answer.fields.location];
  const take = (pattern) => found.push(...[...text.matchAll(pattern)].map((match) => match[1]));
  if (/html/.test(answer.type)) {
    take(/\s(?:href|src|action|data-src)\s*=\s*["']([^"']+)["']/gi);
    for (const [, set] of text.matchAll(/\ssrcset\s*=\s*["']([^"']+)["']/gi)) found.push(...set.split(",").map((one) => one.trim().split(/\s/)[0]));
  }
  if (/xml/.test(answer.type)) {
    take(/<(?:loc|link|guid[^>]*|comments|id)>\s*([^<]+?)\s*</gi);
    take(/\shref\s*=\s*["']([^"']+)["']/gi);
  }
  if (/css/.test(answer.type)) take(/url\(\s*["']?([^"')]+)["']?\s*\)/gi);
  const paths = found.filter(Boolean).flatMap((link) => pathOf(link.replaceAll("&amp;", "&").replaceAll("&#038;", "&"), target));
  return [...new Set(paths)];
}

function pathOf(link, target) {
  try {
    const url = new URL(link, `http://${host}${target}`);
    return /^https?:$/.test(url.protocol) && url.hostname === host ? [url.pathname + url.search] : [];
  } catch {
    return [];
  }
}

/**
 * Follows the links of a site, from some URLs on, and returns all that it finds, in the order of their distance.
 * @param {string} address
 * @param {string[]} seeds
 * @param {{ headers?: object, most?: number, except?: RegExp }} [options]
 */
export async function crawl(address, seeds, { headers = {}, most = 300, except = /(?!)/ } = {}) {
  const found = [...seeds];
  for (let n = 0; n < found.length && n < most; n += 1) {
    const answer = await ask(address, found[n], { headers });
    for (const link of links(answer, found[n])) {
      if (!found.includes(link) && !except.test(link) && found.length < most) found.push(link);
    }
  }
  return found;
}

/** Differences between the site and the gateway, gathered over many URLs, with the outcome of each request. */
export class Comparison {
  /** What differs: `<what was asked> <URL>: <difference>`. */
  found = [];
  /** The outcomes of a URL, in their order. */
  outcomes = new Map();

  constructor({ direct, gateway, normalized }) {
    Object.assign(this, { direct, gateway, normalized });
  }

  /** Asks both for each URL. */
  async visit(what, targets, options = {}) {
    const isPlain = options.headers?.cookie === undefined && (options.method ?? "GET") === "GET";
    for (const target of targets) {
      const [direct, through] = await Promise.all([ask(this.direct, target, options), ask(this.gateway, target, options)]);
      this.found.push(...differences(direct, through, this.normalized).map((text) => `${what} ${target} [${through.outcome}]: ${text}`));
      if (isPlain) this.outcomes.set(target, [...(this.outcomes.get(target) ?? []), through.outcome]);
    }
  }

  /** Asks in the other ways that HTTP has for a page: HEAD, without a coding, conditionally, for a part. */
  async variations(targets) {
    const cached = targets.filter((target) => ["HIT", "STALE"].includes(this.outcomes.get(target)?.at(-1)));
    // The platform asks origins for compressed answers whatever the client accepts, so only pages of the cache have no coding.
    await this.visit("uncompressed", cached, { headers: { "accept-encoding": "identity" } });
    for (const target of targets) {
      const full = await ask(this.gateway, target, { headers: { "accept-encoding": "identity" } });
      const fails = (text) => this.found.push(`${text} ${target} [${full.outcome}]`);
      const head = await ask(this.gateway, target, { method: "HEAD" });
      // A cache answers HEAD from its page. Sites do not always answer as they answer GET.
      const expected = full.isCached ? full : await ask(this.direct, target, { method: "HEAD" });
      if (head.status !== expected.status || head.type !== expected.type || head.body.length > 0) fails(`HEAD: ${head.status}, ${head.type}`);
      if (full.status !== 200) continue;
      const { etag, "last-modified": modified } = full.fields;
      if (etag !== undefined && full.isCached) await this.#confirmed("if-none-match", etag, target, fails);
      if (modified !== undefined && (full.isCached || (await this.#isConfirmedDirectly(modified, target)))) await this.#confirmed("if-modified-since", modified, target, fails);
      if (full.body.length > 20) {
        const part = await ask(this.gateway, target, { headers: { range: "bytes=5-14", "accept-encoding": "identity" } });
        const isPart = part.status === 206 && part.body.equals(full.body.subarray(5, 15));
        if (!isPart && !(part.status === 200 && !full.isCached)) fails(`range: ${part.status}`);
      }
    }
  }

  async #isConfirmedDirectly(modified, target) {
    return (await ask(this.direct, target, { headers: { "if-modified-since": modified } })).status === 304;
  }

  async #confirmed(condition, value, target, fails) {
    const { status, body } = await ask(this.gateway, target, { headers: { [condition]: value } });
    if (status !== 304 || body.length > 0) fails(`${condition}: ${status}`);
  }

  /** The table of hit ratios: URLs by kind, how many of them are cached at their second visit, and why not. */
  report(kindOf) {
    const kinds = new Map();
    for (const [target, outcomes] of this.outcomes) {
      const kind = kindOf(target);
      const row = kinds.get(kind) ?? { visited: 0, cached: 0, reasons: new Map() };
      kinds.set(kind, row);
      row.visited += 1;
      const last = outcomes.at(-1);
      if (["HIT", "STALE"].includes(last)) row.cached += 1;
      else row.reasons.set(last, [...(row.reasons.get(last) ?? []), target]);
    }
    const rows = [...kinds].map(([kind, { visited, cached, reasons }]) => {
      const why = [...reasons].map(([reason, targets]) => `${reason}: ${targets.length} (\`${targets[0]}\`)`).join("; ");
      return `| ${kind} | ${visited} | ${cached} | ${why || "–"} |`;
    });
    return ["| kind | URLs | HIT at the second visit | the others |", "|---|---|---|---|", ...rows, ""].join("\n");
  }
}
