import { WorkerEntrypoint } from "cloudflare:workers";

import type { IsrService } from "cloudflare-isr";

import RustGateway from "../../../build/index.js";
import { dashboard } from "./dashboard.js";
import { constants, shortPath } from "./hit.js";
import { callEntrypoint, expose } from "./rpc.js";

/** A Worker's own handler: what it has as its default export without a cache. */
export type Handler<Env> = ExportedHandler<Env> & Required<Pick<ExportedHandler<Env>, "fetch">>;

/** An entrypoint with the cache in front: the methods of the cache besides its own. */
export type WithIsr<Own extends WorkerEntrypoint<any>> = new (ctx: ExecutionContext, env: any) => Own & IsrService;

/** The events that a handler may take, besides `fetch`. */
const EVENTS = ["scheduled", "queue", "email", "tail", "tailStream", "trace", "test"] as const;

/** The class of a Worker's own entrypoint. */
type OwnClass = new (ctx: ExecutionContext, env: unknown) => WorkerEntrypoint<unknown> & { fetch(request: Request): Response | Promise<Response> };

/** Makes an entrypoint of a handler in the form of an object. */
function entrypointOf(handler: Handler<unknown>): OwnClass {
  class Own extends WorkerEntrypoint<unknown> {
    override fetch(request: Request): Response | Promise<Response> {
      return handler.fetch(request as Parameters<typeof handler.fetch>[0], this.env, this.ctx);
    }

    static {
      const own = handler as unknown as Partial<Record<string, (argument: unknown, env: unknown, ctx: ExecutionContext) => unknown>>;
      for (const event of EVENTS) {
        if (typeof own[event] !== "function") continue;
        const value = function (this: Own, argument: unknown): unknown {
          return own[event]?.(argument, this.env, this.ctx);
        };
        Object.defineProperty(this.prototype, event, { value, configurable: true, writable: true });
      }
    }
  }
  return Own;
}

/**
 * Puts the cache in front of a Worker's own handler, for `export default`. `[vars.ISR]` must have `origin = "self"`.
 *
 * Pages of routes come from the cache. The handler renders them from a request that contains nothing of a client. It
 * answers all other requests as before, and all other events are its own.
 *
 * ```ts
 * export default withIsr<Env>({
 *   async fetch(request, env, ctx) {
 *     return new Response("…", { headers: { "x-isr-revalidate": "60", "cache-tag": "posts" } });
 *   },
 * });
 * export { IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";
 * ```
 */
export function withIsr<Env = unknown>(handler: Handler<Env>): WithIsr<WorkerEntrypoint<Env>>;
/** Puts the cache in front of a Worker whose default export is a class. Its RPC methods are kept, except those that share a name with the cache's. */
export function withIsr<Own extends WorkerEntrypoint<any>>(entrypoint: new (ctx: ExecutionContext, env: any) => Own): WithIsr<Own>;
export function withIsr(handler: Handler<unknown> | OwnClass): WithIsr<WorkerEntrypoint<unknown>> {
  const Own = typeof handler === "function" ? handler : entrypointOf(handler);
  class Wrapped extends Own {
    override fetch(request: Request): Response | Promise<Response> {
      const { ctx, env } = this;
      if ((ctx.props as { isr?: unknown } | undefined)?.isr === constants.renderPurpose) return super.fetch(request);
      const answer = shortPath(request, env, ctx);
      return answer instanceof Response ? answer : this.#fetch(request, answer);
    }

    async #fetch(request: Request, answer: Promise<Response | undefined> | undefined): Promise<Response> {
      const { ctx, env } = this;
      const own = { fetch: async (passed: Request) => super.fetch(passed) };
      return (await answer) ?? dashboard(request, env, ctx) ?? new RustGateway(ctx, env).isrGateway(request, env, ctx, own);
    }

    static {
      expose(this.prototype, (self, method, args) => callEntrypoint(self.ctx, self.env, method, args));
    }
  }
  return Wrapped as unknown as WithIsr<WorkerEntrypoint<unknown>>;
}
