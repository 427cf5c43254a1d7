/**
 * SolidStart: pages say by `getRequestEvent()?.locals.isr` how they are cached, and a cache in front of the site, or one that is
 * bound to it, does as they say.
 *
 * @module
 */
import { getRequestEvent } from "solid-js/web";

import { createScope, applyScope, type Scope } from "./scope.js";
import { serve, type IsrContext } from "./serve.js";

declare global {
  namespace App {
    interface RequestEventLocals {
      /** Says how the page is cached that is being rendered: `defaults` in layouts, `set` in pages and server functions. */
      isr: Scope;
    }
  }
}

/** How {@link worker} works. */
export interface WorkerOptions {
  /** The service binding to the cache's entrypoint, for a site that has no gateway in front. Default: `"ISR"`. */
  binding?: string;
}

/** What is looked at of SolidStart's handler, which is an H3 app. */
export interface SolidStartHandler {
  request(request: Request, init: undefined, context: { isr: Scope }): Response | Promise<Response>;
}

/** What is looked at of an H3 event. */
export interface SolidStartEvent {
  readonly req: { readonly method: string; readonly url: string };
  readonly context: object;
  readonly res: { readonly headers: Headers };
}

/**
 * Makes the Worker of a site: `export default worker(createHandler(..))` in `src/entry-server.tsx`. The site's middleware has to
 * contain {@link isr}.
 */
export function worker(handler: SolidStartHandler, options: WorkerOptions = {}) {
  return {
    fetch(request: Request, env: unknown, ctx: IsrContext): Promise<Response> {
      const scope = createScope();
      const asked = asClient(request);
      return serve({
        request,
        env,
        ctx,
        binding: options.binding,
        scope,
        render: () => handler.request(asked, undefined, { isr: scope }),
      });
    },
  };
}

/**
 * Makes the middleware, for `createMiddleware([isr()])`. Put it first.
 *
 * With a deployment that makes the Worker itself, as Nitro does, there is no {@link worker}: then the middleware writes what pages
 * have said into the response, for a gateway in front.
 */
export function isr() {
  return async (event: SolidStartEvent, next: () => unknown): Promise<unknown> => {
    const { isr: given } = event.context as { isr?: Scope };
    const scope = given ?? createScope();
    // All of them have one path, and some answer each visitor with something else: only those that say so are cached.
    if (callsFunction(event.req)) scope.defaults({ revalidate: 0 });
    Object.assign(getRequestEvent()?.locals ?? {}, { isr: scope });
    const body = await next();
    if (given === undefined) applyScope(event.res.headers, scope);
    return body;
  };
}

/**
 * Returns the cache's request for a server function as SolidStart's client would send it. The client marks its calls by a header, and
 * they are answered with what the function returns; others are redirected to a page. No header of a visitor is in a render, and so
 * not this one. Whoever else calls himself so gets that answer too: the client's header is no secret either.
 */
function asClient(request: Request): Request {
  if (!callsFunction(request) || !request.headers.get("user-agent")?.startsWith("cloudflare-isr/")) return request;
  const headers = new Headers(request.headers);
  headers.set("x-server-instance", "server-fn:isr");
  return new Request(request, { headers });
}

/** Tells whether a request calls a server function by GET. */
function callsFunction({ method, url }: { readonly method: string; readonly url: string }): boolean {
  return method === "GET" && new URL(url).pathname.endsWith("/_server");
}
