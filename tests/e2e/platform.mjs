/**
 * The gateway with a downstream cache in front of its entrypoint, in the entrypoint's view: `ctx.cache.purge`, which
 * the local runtime does not have. `GET /purges` lists the requested purges; `POST /purges` sets the result of further
 * ones.
 *
 * The client's Worker and the objects run in one isolate here; only the entrypoint gets the cache.
 */
import Gateway, { IsrCoordinator, IsrTagIndex } from "../../build/entry.js";

export { IsrCoordinator, IsrTagIndex };

const purges = [];
let answers = [];

const cache = {
  async purge(what) {
    const answer = answers.shift() ?? "success";
    purges.push({ ...what, answer });
    if (answer === "throws") throw new Error("the purge failed");
    return answer === "success" ? { success: true, errors: [] } : { success: false, errors: [{ code: 1, message: answer }] };
  },
};

export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, env);
    const { props, exports } = ctx;
    const withCache = { props, exports, cache, waitUntil: (promise) => ctx.waitUntil(promise), passThroughOnException() {} };
    Object.defineProperty(this, "ctx", { value: withCache });
  }

  async fetch(request) {
    if (new URL(request.url).pathname !== "/purges") return super.fetch(request);
    if (request.method === "POST") answers = await request.json();
    return Response.json(purges);
  }
}
