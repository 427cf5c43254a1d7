/**
 * The gateway with a cache in front of its entrypoint, as far as the entrypoint sees it: `ctx.cache.purge`, which the local
 * runtime does not have. `GET /purges` tells what it was asked to purge; `POST /purges` says how it answers from now on.
 *
 * The visitor's Worker and the objects run in one isolate here; only the entrypoint is given the cache.
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
