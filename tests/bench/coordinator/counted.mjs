// The gateway, with a count of the platform calls that it and its objects make. The Rust code sees the same objects as
// always, but their methods count before they do their work.

import { wasmBytes } from "../../wasm-memory.mjs";
import Gateway, * as entry from "../../../build/entry.js";

/** What the edge has asked for, and whether KV shows it nothing, as it may for a minute after a write. */
const edge = {
  numbers: {},
  isKvHidden: false,
  add(name) {
    this.numbers[name] = (this.numbers[name] ?? 0) + 1;
  },
};

/** The gateway. `/counts` returns and resets the counters. `/kv-hidden` sets whether KV appears empty to it. */
export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, {
      ...env,
      ISR_CACHE: inFront(env.ISR_CACHE, (method, call) => {
        edge.add(method === "get" ? "kvReads" : "kvWrites");
        return method === "get" && edge.isKvHidden ? Promise.resolve(null) : call();
      }),
      // The edge also asks for an id, which identifies the deployment and calls nothing.
      TAG_INDEX: inFront(env.TAG_INDEX, (method, call) => (method === "idFromName" ? call() : inFront(call(), toTagIndex))),
      COORDINATOR: objects(env.COORDINATOR, edge),
    });
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/kv-hidden") edge.isKvHidden = await request.json();
    if (pathname !== "/counts") return pathname === "/kv-hidden" ? new Response() : super.fetch(request);
    const { numbers } = edge;
    edge.numbers = {};
    return Response.json({ numbers, statements: {} });
  }
}

/** Counts the edge's calls of the tag index: those for the feed, which come by the clock, and the others. */
async function toTagIndex(_, call, [request]) {
  // A message is an object of one field in CBOR: 0xa1, then the field's name after its length, 4 letters being "d".
  const isFeed = /message.dfeed/s.test(await request.clone().text());
  edge.add(isFeed ? "feedCalls" : "objectCalls");
  return call();
}

/** Makes a class whose objects count, and tell and forget what they have counted on `/counts`. `/fill` makes pages. */
function counted(Class) {
  return class extends Class {
    #counts;

    constructor(ctx, env) {
      const counts = new Counts(ctx.storage);
      super(ctx, {
        ...env,
        ISR_CACHE: counting(env.ISR_CACHE, { put: "kvWrites", delete: "kvWrites", get: "kvReads" }, counts),
        ORIGIN: counting(env.ORIGIN, { fetch: "renders" }, counts),
        TAG_INDEX: objects(env.TAG_INDEX, counts),
        COORDINATOR: objects(env.COORDINATOR, counts),
      });
      this.#counts = counts;
    }

    fetch(request) {
      if (request.url.endsWith("/counts")) return Response.json({ ...this.#counts.take(), wasmBytes: wasmBytes() });
      if (request.url.endsWith("/fill")) return fill(this.ctx.storage.sql, request);
      return super.fetch(request);
    }

    alarm() {
      this.#counts.add("alarmRuns");
      return super.alarm();
    }
  };
}

export const IsrCoordinator = counted(entry.IsrCoordinator);
export const IsrTagIndex = counted(entry.IsrTagIndex);

/**
 * Makes pages without rendering them: the rows of a page that was rendered, once more for each of the paths. What the object
 * knows besides (which tags are registered) it has learnt from the page that was rendered.
 */
async function fill(sql, request) {
  const { like, origin, paths } = await request.json();
  const from = { entries: { key: "? || path.value", path: "path.value" }, entry_tags: { key: "? || path.value" } };
  for (const [table, changed] of Object.entries(from)) {
    const columns = sql.exec(`SELECT * FROM ${table} LIMIT 0`).columnNames;
    const values = columns.map((column) => changed[column] ?? `page.${column}`).join(", ");
    sql.exec(
      `INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values} FROM json_each(?) path, ${table} page WHERE page.key = ?`,
      origin, JSON.stringify(paths), like,
    );
  }
  return new Response();
}

class Counts {
  #numbers = {};
  #statements = {};
  /** The statement that was run last, and its cursor, whose figures are final when the next one is run. */
  #open;

  constructor(storage) {
    const { sql } = storage;
    const [exec, setAlarm] = [sql.exec.bind(sql), storage.setAlarm.bind(storage)];
    sql.exec = (text, ...parameters) => {
      this.#close();
      const cursor = exec(text, ...parameters);
      this.#open = { text, cursor };
      return cursor;
    };
    storage.setAlarm = (...parameters) => {
      this.add("alarmsSet");
      return setAlarm(...parameters);
    };
  }

  add(name) {
    this.#numbers[name] = (this.#numbers[name] ?? 0) + 1;
  }

  take() {
    this.#close();
    const taken = { numbers: this.#numbers, statements: this.#statements };
    [this.#numbers, this.#statements] = [{}, {}];
    return taken;
  }

  #close() {
    if (!this.#open) return;
    const { text, cursor } = this.#open;
    this.#open = undefined;
    const statement = (this.#statements[text] ??= { times: 0, rowsRead: 0, rowsWritten: 0 });
    statement.times++;
    statement.rowsRead += cursor.rowsRead;
    statement.rowsWritten += cursor.rowsWritten;
  }
}

/** Stands in front of a binding. `methods` says under which name the calls of each are counted. */
function counting(binding, methods, counts) {
  return inFront(binding, (method, call) => {
    if (Object.hasOwn(methods, method)) counts.add(methods[method]);
    return call();
  });
}

/** Stands in front of a namespace of objects, and counts the calls of each. */
function objects(namespace, counts) {
  return inFront(namespace, (method, call) => {
    const made = call();
    return method === "get" || method === "getByName" ? counting(made, { fetch: "objectCalls" }, counts) : made;
  });
}

/** Hands each call of a method to `around`. */
function inFront(binding, around) {
  const get = (target, name) => {
    if (typeof target[name] !== "function") return target[name];
    return (...parameters) => around(name, () => target[name](...parameters), parameters);
  };
  return new Proxy(binding, { get });
}
