// The gateway, with a count of what its objects ask the platform for. The Rust code sees the same objects as always, but
// for methods that count before they do what they are there for.

import { wasmBytes } from "./wasm.mjs";
import Gateway, * as entry from "../../../src/edge/entry.mjs";

export default Gateway;

/** Makes a class whose objects count, and tell and forget what they have counted on `/counts`. */
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
    return (...parameters) => around(name, () => target[name](...parameters));
  };
  return new Proxy(binding, { get });
}
