import { DurableObject } from "cloudflare:workers";

import type { IsrService } from "cloudflare-isr";

import { IsrCoordinator as RustCoordinator, IsrTagIndex as RustTagIndex, type RustObject } from "../../../build/index.js";
import { callObject, expose } from "./rpc.js";

/** A Durable Object of the cache. It has the RPC methods of the entrypoint. */
export type IsrObject = DurableObject & IsrService & { fetch(request: Request): Promise<Response>; alarm(): Promise<void> };

/** The class of an {@link IsrObject}. */
export type IsrObjectClass = new (ctx: DurableObjectState, env: unknown) => IsrObject;

/** Wraps a class that is written in Rust: RPC reaches only classes that extend `DurableObject`. */
function objectClass(RustClass: new (ctx: DurableObjectState, env: unknown) => RustObject): IsrObjectClass {
  class Wrapped extends DurableObject<unknown> {
    readonly #object: RustObject;

    constructor(ctx: DurableObjectState, env: unknown) {
      super(ctx, env);
      this.#object = new RustClass(ctx, env);
    }

    override fetch(request: Request): Promise<Response> {
      return this.#object.fetch(request);
    }

    override async alarm(): Promise<void> {
      await this.#object.alarm();
    }

    static {
      expose(this.prototype, (self, method, args) => callObject(self.#object, self.ctx, method, args));
    }
  }
  return Wrapped as unknown as IsrObjectClass;
}

/** Owns the pages of one shard of a route: bound as `COORDINATOR`. Has the methods of the entrypoint as well. */
export class IsrCoordinator extends objectClass(RustCoordinator) {}

/** Knows which coordinators carry a tag, and keeps the log of invalidations: bound as `TAG_INDEX`. Has the methods of the entrypoint as well. */
export class IsrTagIndex extends objectClass(RustTagIndex) {}
