/** The gateway with a dataset of Analytics Engine that remembers its points: the local runtime stores none. `GET /points` lists them. */
import Gateway, { IsrCoordinator, IsrTagIndex } from "../../build/entry.js";

export { IsrCoordinator, IsrTagIndex };

const points = [];
const known = new WeakMap();

/** As on the platform, requests have the same `env` object until bindings change. */
function analysed(env) {
  if (!known.has(env)) known.set(env, { ...env, ISR_ANALYTICS: { writeDataPoint: (point) => void points.push(point) } });
  return known.get(env);
}

export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, analysed(env));
  }

  fetch(request) {
    return new URL(request.url).pathname === "/points" ? Response.json(points) : super.fetch(request);
  }
}
