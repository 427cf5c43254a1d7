/**
 * The origin of the soak test, and the truth about its pages: what each page says at any time, and what was promised
 * about it. It lives in the process of the test, so it outlives each kill of the runtime.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { Listener } from "./listener.mjs";

/** How long a page of `/aging/` is fresh, and how long after that it may be served stale, in seconds. */
export const REVALIDATE = 10;
export const EXPIRE = 120;

/** The number of tags of each kind of page. */
const TAGS = 400;

/** What a page is, and what callers were promised about it. */
export class Page {
  /** The number of edits. */
  edit = 0;
  /** The first edit that may be shown as fresh from `since` on (milliseconds), by an acknowledged invalidation. */
  promised = { edit: 0, since: 0, mode: "expire" };
  /** The first edit that may be shown at all, by an acknowledged purge. */
  purged = { edit: 0, since: 0 };
  /** When the origin last failed to answer a render of this page. */
  failedAt = -Infinity;
  /** The renders under way. */
  renders = new Set();

  constructor(path, number) {
    this.path = path;
    this.tags = [`group-${number % TAGS}`];
    if (number % 3 === 0) this.tags.push(`shared-${number % 7}-${number % 50}`);
  }
}

/** All pages, by path and by tag. */
export class Site {
  pages = new Map();
  byTag = new Map();
  /** The fault of the origin under way, if any: `{ kind, hits(page) }`. */
  fault = undefined;
  /** When the origin last failed for any page. */
  failedAt = -Infinity;
  /** Two renders of a page at the same time: promise 1 is broken. */
  overlaps = [];
  renders = 0;
  passes = 0;
  /** Changes with each kill: renders of an earlier life do not count as running. */
  life = 0;

  /** @param {number} count of pages: three quarters of them age */
  constructor(count) {
    for (let number = 0; number < count; number += 1) {
      const page = new Page(number % 4 === 3 ? `/lasting/${number}` : `/aging/${number}`, number);
      this.pages.set(page.path, page);
      for (const tag of page.tags) this.byTag.set(tag, [...(this.byTag.get(tag) ?? []), page]);
    }
    this.list = [...this.pages.values()];
  }

  listener = new Listener((request, response) => this.#answer(request, response));

  /** The runtime was killed: its renders are gone. */
  killed() {
    this.life += 1;
    for (const page of this.list) page.renders.clear();
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, "http://site");
    const isRender = request.headers["user-agent"]?.startsWith("cloudflare-isr/") ?? false;
    const page = this.pages.get(pathname);
    if (page === undefined) {
      response.writeHead(404, { "content-type": "text/html" }).end(`no such page: ${pathname}`);
      return;
    }
    if (isRender) this.#begin(page, response);
    else this.passes += 1;
    const fault = this.fault?.hits(page) ? this.fault.kind : undefined;
    if (fault) page.failedAt = this.failedAt = Date.now();
    const body = bodyOf(page, isRender);
    switch (fault) {
      case "refuses":
        return void request.socket.destroy();
      case "errs":
        return void response.writeHead(500, { "content-type": "text/html" }).end("the site is in trouble");
      case "overloaded":
        return void response.writeHead(429, { "content-type": "text/html", "retry-after": "1" }).end("slow down");
      case "hangs":
        await sleep(8000);
        return void request.socket.destroy();
      case "breaks":
        response.writeHead(200, headersOf(page, body));
        response.write(body.subarray(0, body.length >> 1));
        await sleep(20);
        return void request.socket.destroy();
      default:
        await sleep(5 + Math.random() * 60);
        response.writeHead(200, headersOf(page, body)).end(body);
    }
  }

  #begin(page, response) {
    this.renders += 1;
    const render = { life: this.life, at: Date.now() };
    if (page.renders.size > 0) this.overlaps.push({ path: page.path, at: render.at, others: [...page.renders] });
    page.renders.add(render);
    response.once("close", () => page.renders.delete(render));
  }

  /** Edits pages, and returns a function that records that an invalidation of them was acknowledged. */
  edit(pages, mode) {
    const edited = pages.map((page) => ({ page, edit: (page.edit += 1) }));
    return (now, boundMillis) => {
      for (const { page, edit } of edited) {
        if (edit > page.promised.edit) page.promised = { edit, since: now + boundMillis, mode };
        if (mode === "purge" && edit > page.purged.edit) page.purged = { edit, since: now + boundMillis };
      }
    };
  }
}

/** The body of a page as it is now: a line that says what it is, some filling, and a digest of both. */
function bodyOf(page, isRender) {
  const head = JSON.stringify({ path: page.path, edit: page.edit, at: Date.now(), isRender });
  const filling = "x".repeat(200 + ((page.path.length * 7919 + page.edit * 104_729) % 12_000));
  const text = `${head}\n${filling}\n`;
  return Buffer.from(`${text}${createHash("sha256").update(text).digest("hex")}`);
}

/** Reads such a body. Returns `undefined` if it is not whole. */
export function read(body) {
  const text = body.toString();
  const end = text.lastIndexOf("\n") + 1;
  if (end === 0 || createHash("sha256").update(text.slice(0, end)).digest("hex") !== text.slice(end)) return undefined;
  return JSON.parse(text.slice(0, text.indexOf("\n")));
}

function headersOf(page, body) {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-length": body.length,
    "cache-tag": page.tags.join(","),
    "x-isr-revalidate": page.path.startsWith("/aging/") ? String(REVALIDATE) : "false",
  };
}
