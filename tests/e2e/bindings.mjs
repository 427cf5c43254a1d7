/**
 * The gateway in an isolate that the platform keeps although bindings change: `PUT /bindings` with JSON replaces variables and secrets.
 * Further requests come with another `env` object, as from the platform. With `{ "fresh": true }`, each request has an object of its own.
 *
 * Objects keep the `env` of their constructor, as on the platform.
 */
import Gateway, { IsrCoordinator as Coordinator, IsrTagIndex as TagIndex } from "../../build/entry.js";

let changed;
let current;
let isFresh = false;

function currentOf(env) {
  if (current === undefined || isFresh) current = { ...env, ...changed };
  return current;
}

export class IsrCoordinator extends Coordinator {
  constructor(ctx, env) {
    super(ctx, currentOf(env));
  }
}

export class IsrTagIndex extends TagIndex {
  constructor(ctx, env) {
    super(ctx, currentOf(env));
  }
}

export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, currentOf(env));
  }

  async fetch(request) {
    if (request.method !== "PUT" || new URL(request.url).pathname !== "/bindings") return super.fetch(request);
    const { fresh = false, ...bindings } = await request.json();
    changed = { ...changed, ...bindings };
    isFresh = fresh;
    current = undefined;
    return new Response();
  }
}
