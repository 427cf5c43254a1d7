/**
 * A Nitro plugin for Nuxt on Cloudflare Workers: `server/plugins/isr.ts` with `export { default } from "cloudflare-isr/nuxt"`.
 *
 * Pages say by `useRequestEvent()?.context.isr` how they are cached, server routes by `event.context.isr`.
 *
 * @module
 */
import type { Receipt, RevalidateOptions } from "./invalidation.js";
import type { IsrService } from "./rpc.js";
import { createScope, type Scope } from "./scope.js";
import { serve, type IsrContext } from "./serve.js";

export type { Scope } from "./scope.js";

declare module "h3" {
  interface H3EventContext {
    /** How the page that is being rendered is cached. */
    isr: Scope;
  }
}

/** Settings of the plugin. */
export interface Options {
  /** The binding to the cache's entrypoint, for a site without the gateway in front. Default: `ISR`. */
  binding?: string;
}

/** What Nitro's `cloudflare_module` preset hands over with a request; whatever else is in it reaches `event.context`. */
interface Platform {
  cloudflare?: { request: Request; env: unknown; context: IsrContext };
  isr?: Scope;
}

interface LocalInit extends RequestInit {
  context?: { _platform?: Platform };
}

/** What the plugin needs of Nitro's app. */
interface NitroApp {
  localFetch(input: string, init?: LocalInit): Promise<Response>;
  hooks: { hook(name: "request", handler: (event: { context: { isr?: Scope } }) => void): unknown };
}

/** Makes the plugin, with settings. */
export function isr(options: Options = {}): (nitroApp: NitroApp) => void {
  return (nitroApp) => {
    const render = nitroApp.localFetch;
    // The preset answers each request of a visitor by this function. What a page itself asks of the site's routes while it is
    // rendered does not come by here, but inherits the platform, and so the page's scope.
    nitroApp.localFetch = (input, init) => {
      const platform = init?.context?._platform;
      if (!platform?.cloudflare) return render(input, init);
      const { request, env, context: ctx } = platform.cloudflare;
      const scope = createScope();
      const context = { ...init?.context, _platform: { ...platform, isr: scope } };
      return serve({
        request,
        env,
        ctx,
        binding: options.binding,
        scope,
        render: async () => withoutDefault(await render(input, { ...init, context }), scope),
      });
    };
    // In the development server and while pages are prerendered there is no platform; pages can speak all the same.
    nitroApp.hooks.hook("request", ({ context }) => {
      context.isr ??= createScope();
    });
  };
}

/**
 * Takes the `Cache-Control: no-cache` away that Nitro writes on each 404, if the page has said how it is cached: that is what counts.
 */
function withoutDefault(response: Response, scope: Scope): Response {
  if (response.status !== 404 || response.headers.get("cache-control") !== "no-cache" || scope.resolve() === null) return response;
  const copy = new Response(response.body, response);
  copy.headers.delete("cache-control");
  return copy;
}

/** Returns the path at which Nuxt's client asks for the data of a page: `/blog/first` → `/blog/first/_payload.json`. */
export function payloadPath(path: string): string {
  return `${path.replace(/\/$/, "")}/_payload.json`;
}

/** Invalidates a page and its payload. Resolves to the receipts of both. */
export function revalidatePath(
  service: Pick<IsrService, "revalidatePath">,
  path: string,
  options?: RevalidateOptions,
): Promise<Receipt[]> {
  return Promise.all([path, payloadPath(path)].map((each) => service.revalidatePath(each, options)));
}

export default isr();
