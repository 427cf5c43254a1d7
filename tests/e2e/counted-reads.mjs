/**
 * The gateway, with a count of its reads of KV. `GET /kv-reads` returns and resets it. `POST /kv` sets how long a read takes,
 * and how many of the next reads hang.
 */
import Gateway from "../../build/entry.js";

export * from "../../build/entry.js";

let reads = 0;
let trouble = { delayMillis: 0, hanging: 0 };

const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

function counting(kv) {
  return new Proxy(kv, {
    get(target, name) {
      if (name !== "get") return typeof target[name] === "function" ? target[name].bind(target) : target[name];
      return async (...args) => {
        reads += 1;
        if (trouble.hanging > 0) {
          trouble.hanging -= 1;
          await sleep(60_000);
        }
        await sleep(trouble.delayMillis);
        return target.get(...args);
      };
    },
  });
}

/** The platform hands out one `env` to all requests of an isolate; so does this module. */
let counted;

export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, (counted ??= { ...env, ISR_CACHE: counting(env.ISR_CACHE) }));
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/kv") trouble = { delayMillis: 0, hanging: 0, ...(await request.json()) };
    if (pathname !== "/kv-reads") return pathname === "/kv" ? new Response() : super.fetch(request);
    const answer = Response.json(reads);
    reads = 0;
    return answer;
  }
}
