// The baseline for the coordinator: objects that repeat a recorded answer of the coordinator, without any logic. Each
// object receives that answer on `/answer`.

import { DurableObject } from "cloudflare:workers";

/** Answers at once. */
export class Bare extends DurableObject {
  #body;
  #headers;

  async fetch(request) {
    const bytes = await request.arrayBuffer();
    if (!request.url.endsWith("/answer")) return this.reply();
    this.#body = bytes.byteLength > 0 ? bytes : null;
    this.#headers = JSON.parse(request.headers.get("x-headers"));
    return new Response();
  }

  get bytes() {
    return this.#body.byteLength;
  }

  reply() {
    return new Response(this.#body, { headers: this.#headers });
  }
}

/** Answers when it is released. */
export class BareParks extends Bare {
  #parked = [];

  async fetch(request) {
    if (request.url.endsWith("/ping")) return new Response();
    if (request.url.endsWith("/release")) {
      for (const go of this.#parked.splice(0)) go();
      return new Response();
    }
    if (request.url.endsWith("/answer")) return super.fetch(request);
    await request.arrayBuffer();
    await new Promise((go) => this.#parked.push(go));
    return this.reply();
  }
}

/** Writes one row, and answers. */
export class BareWrites extends Bare {
  #sql;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS pages (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID");
  }

  reply() {
    this.#sql.exec("INSERT INTO pages (key, at) VALUES (?, ?)", crypto.randomUUID(), Date.now());
    return super.reply();
  }
}

/** Asks the site for a page as long as the answer, holds it, writes one row, answers, and puts the page into KV behind. */
export class BareRenders extends BareWrites {
  #pages = [];

  async reply() {
    const key = `https://bench.example/page/${this.bytes}/${crypto.randomUUID()}`;
    const rendered = await this.env.ORIGIN.fetch(key);
    const body = await rendered.arrayBuffer();
    this.#pages.push(body);
    this.ctx.waitUntil(this.env.KV.put(key, body));
    return super.reply();
  }
}
