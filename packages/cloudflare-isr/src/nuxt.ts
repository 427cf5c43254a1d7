/**
 * A Nitro plugin for Nuxt on Cloudflare Workers: `server/plugins/isr.ts` with `export { default } from "cloudflare-isr/nuxt"`.
 *
 * Pages set their caching values through `useRequestEvent()?.context.isr`, server routes through `event.context.isr`.
 *
 * @module
 */
import type { Receipt, RevalidateOptions } from "./invalidation.js";
import type { IsrService } from "./rpc.js";
import { createPagePolicy, type PagePolicy } from "./page_policy.js";
import { mayBeForAll, serve, type IsrContext } from "./serve.js";

export type { PagePolicy } from "./page_policy.js";

declare module "h3" {
  interface H3EventContext {
    /** The policy of the page that is being rendered. */
    isr: PagePolicy;
  }
}

/** Settings of the plugin. */
export interface Options {
  /** The binding to the cache's entrypoint, for a site without the gateway in front. Default: `ISR`. */
  binding?: string;
}

/** The context that Nitro's `cloudflare_module` preset passes with a request. Its other fields reach `event.context`. */
interface Platform {
  cloudflare?: { request: Request; env: unknown; context: IsrContext };
  isr?: PagePolicy;
}

interface LocalInit extends RequestInit {
  context?: { _platform?: Platform };
}

/** The part of Nitro's app that the plugin uses. */
interface NitroApp {
  localFetch(input: string, init?: LocalInit): Promise<Response>;
  hooks: { hook(name: "request", handler: (event: { context: { isr?: PagePolicy } }) => void): unknown };
}

/** Creates the plugin, with settings. */
export function isr(options: Options = {}): (nitroApp: NitroApp) => void {
  return (nitroApp) => {
    const render = nitroApp.localFetch;
    // The preset answers each request of a visitor through this function. Requests of a page to the site's own routes during its render
    // do not pass through it. They inherit the platform, and with it the policy of the page.
    nitroApp.localFetch = (input, init) => {
      const platform = init?.context?._platform;
      if (!platform?.cloudflare) return render(input, init);
      const { request, env, context: ctx } = platform.cloudflare;
      const policy = createPagePolicy();
      const context = { ...init?.context, _platform: { ...platform, isr: policy } };
      const asked = { request, env, ctx };
      const answer = async () => {
        const response = await render(input, { ...init, context });
        return (await mayBeForAll(asked)) ? withoutDefault(response, policy) : response;
      };
      return serve({ ...asked, binding: options.binding, policy, render: answer });
    };
    // There is no platform in the development server and during prerendering. Pages still have a page policy there.
    nitroApp.hooks.hook("request", ({ context }) => {
      context.isr ??= createPagePolicy();
    });
  };
}

/**
 * Removes the `Cache-Control: no-cache` that Nitro adds to each 404, if the page has set its own caching values. It stays on the
 * response to a visitor's own request.
 */
function withoutDefault(response: Response, policy: PagePolicy): Response {
  if (response.status !== 404 || response.headers.get("cache-control") !== "no-cache" || policy.resolve() === null) return response;
  const copy = new Response(response.body, response);
  copy.headers.delete("cache-control");
  return copy;
}

/** Returns the path at which Nuxt's client requests the data of a page: `/blog/first` → `/blog/first/_payload.json`. */
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
