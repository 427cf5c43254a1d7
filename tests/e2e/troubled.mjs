/**
 * The gateway on a platform that fails on demand: `POST /trouble` with `{ coordinator, tagIndex, l1, kv, r2 }`.
 *
 * Only the platform's behaviour is simulated; the gateway and its objects are the deployed ones. The client's Worker
 * and the objects run in one isolate here, so one variable is enough for both.
 */
import Gateway, { IsrCoordinator as Coordinator, IsrTagIndex as TagIndex } from "../../build/entry.js";

/**
 * @typedef {object} Trouble
 * @property {"throws" | "hangs" | "errs" | "overloaded" | "flickers"} [coordinator]
 * @property {"throws"} [tagIndex]
 * @property {"hangs"} [l1] the Cache API
 * @property {"hangs" | "refuses" | "reads-hang"} [kv]
 * @property {"races"} [r2] somebody else writes an older page between the look and the write, once
 */

/** @type {Trouble} */
let trouble = {};

/** Longer than any of the tests. */
const never = () => scheduler.wait(600_000);

for (const name of ["match", "put"]) {
  const original = Cache.prototype[name];
  Cache.prototype[name] = async function (...args) {
    if (trouble.l1 === "hangs") await never();
    return original.apply(this, args);
  };
}

/** As on the platform, requests have the same `env` object until bindings change. */
const known = new WeakMap();

function troubled(env) {
  if (!known.has(env)) known.set(env, troubledBindings(env));
  return known.get(env);
}

function troubledBindings(env) {
  const { COORDINATOR, ISR_CACHE, ISR_BUCKET } = env;
  return {
    ...env,
    COORDINATOR: {
      getByName(name) {
        const stub = COORDINATOR.getByName(name);
        return { fetch: (request) => reach(stub, request) };
      },
    },
    ISR_CACHE: {
      async get(...args) {
        if (trouble.kv === "reads-hang") await never();
        return ISR_CACHE.get(...args);
      },
      delete: (...args) => ISR_CACHE.delete(...args),
      async put(...args) {
        if (trouble.kv === "hangs") await never();
        if (trouble.kv === "refuses") throw new Error("KV PUT failed: 500 Internal Server Error");
        return ISR_CACHE.put(...args);
      },
    },
    ...(ISR_BUCKET && {
      ISR_BUCKET: {
        head: (...args) => ISR_BUCKET.head(...args),
        get: (...args) => ISR_BUCKET.get(...args),
        delete: (...args) => ISR_BUCKET.delete(...args),
        async put(name, ...args) {
          if (trouble.r2 === "races") {
            trouble = {};
            await ISR_BUCKET.put(name, "an older page", { customMetadata: { version: "0".repeat(26) } });
          }
          return ISR_BUCKET.put(name, ...args);
        },
      },
    }),
  };
}

/** What the platform throws carries these marks. */
async function reach(stub, request) {
  if (trouble.coordinator === "overloaded") {
    throw Object.assign(new Error("Durable Object is overloaded. Too many requests queued."), { overloaded: true, retryable: true });
  }
  if (trouble.coordinator === "flickers") {
    trouble = {};
    throw Object.assign(new Error("Durable Object reset because its code was updated."), { retryable: true });
  }
  return stub.fetch(request);
}

export class IsrCoordinator extends Coordinator {
  constructor(ctx, env) {
    super(ctx, troubled(env));
  }

  async fetch(request) {
    if (trouble.coordinator === "throws") throw new Error("the object is in trouble");
    if (trouble.coordinator === "errs") return new Response("trouble", { status: 500 });
    if (trouble.coordinator === "hangs") await never();
    return super.fetch(request);
  }
}

export class IsrTagIndex extends TagIndex {
  async fetch(request) {
    if (trouble.tagIndex === "throws") throw new Error("the object is in trouble");
    return super.fetch(request);
  }
}

export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, troubled(env));
  }

  async fetch(request) {
    if (request.method === "POST" && new URL(request.url).pathname === "/trouble") {
      trouble = await request.json();
      return Response.json(trouble);
    }
    return super.fetch(request);
  }
}
