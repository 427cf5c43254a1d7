/**
 * SvelteKit: pages set their caching values through `locals.isr`. A cache in front of the site, or one that is bound to it, applies
 * them.
 *
 * @module
 */
import type { Receipt, RevalidateOptions } from "./invalidation.js";
import type { IsrService } from "./rpc.js";
import { createPagePolicy, type PagePolicy } from "./page_policy.js";
import { mayBeForAll, serve, type IsrContext } from "./serve.js";

declare global {
  namespace App {
    interface Locals {
      /** The policy of the page that is being loaded: use `defaults` in layouts, and `set` in pages. */
      isr: PagePolicy;
    }
  }
}

/** The part of SvelteKit's `RequestEvent` that the hook uses. */
export interface SvelteKitEvent {
  readonly request: Request;
  readonly locals: { isr: PagePolicy };
  /** Provided by `@sveltejs/adapter-cloudflare`; `undefined` in development and during prerendering. */
  readonly platform: Readonly<unknown> | undefined;
  readonly isDataRequest: boolean;
  readonly isSubRequest: boolean;
  readonly setHeaders: (headers: Record<string, string>) => void;
}

/** The argument of a `handle` hook. */
export interface HandleInput<E, O> {
  event: E;
  resolve: (event: E, options?: O) => Promise<Response> | Response;
}

/** Settings of {@link handle}. */
export interface HandleOptions {
  /** The service binding to the cache's entrypoint, for a site that has no gateway in front. Default: `"ISR"`. */
  binding?: string;
}

/**
 * Creates a `handle` hook for `src/hooks.server.ts`, alone or in `sequence`. Put it first: later hooks run only for renders, not for
 * visitors that receive a page from the cache.
 *
 * Requests for the data of a page (`__data.json`) are cached like the page. SvelteKit forbids this for all of them
 * (`private, no-store`). This hook keeps the prohibition if the page sets it itself, has thrown an error, or streams its data, and on the
 * response to a visitor's own request that carries cookies or credentials.
 */
export function handle(options: HandleOptions = {}) {
  return async <E extends SvelteKitEvent, O>({ event, resolve }: HandleInput<E, O>): Promise<Response> => {
    const policy = createPagePolicy();
    event.locals.isr = policy;
    // A load function calls the site itself: the answer becomes a part of the page that is being rendered.
    if (event.isSubRequest) return resolve(event);
    const { env, ctx } = (event.platform ?? {}) as { env?: unknown; ctx?: IsrContext };
    // During prerendering there is no context, and reading `env` is not allowed.
    const asked = { request: event.request, env: ctx && env, ctx };
    const render = async () => (event.isDataRequest ? renderData(event, resolve, await mayBeForAll(asked)) : resolve(event));
    return serve({ ...asked, binding: options.binding, policy, render });
  };
}

/** The data of a page, in SvelteKit's format. */
type PageData =
  | { type: "data"; nodes: ({ type: string; error?: { status?: number } } | null)[] }
  | { type: "redirect"; status: number };

/** Loads the data of a page, and gives it the caching headers of the page, unless it is for one visitor. */
async function renderData<E extends SvelteKitEvent, O>(
  event: E,
  resolve: HandleInput<E, O>["resolve"],
  mayBeShared: boolean,
): Promise<Response> {
  let hasPolicy = false;
  const setHeaders: E["setHeaders"] = (headers) => {
    hasPolicy ||= Object.keys(headers).some((name) => name.toLowerCase() === "cache-control");
    event.setHeaders(headers);
  };
  const response = await resolve({ ...event, setHeaders });
  const isWhole = response.headers.get("content-type")?.startsWith("application/json");
  if (hasPolicy || response.status !== 200 || !isWhole) return response;

  const data = (await response.clone().json()) as PageData;
  const share = (data: Response) => (mayBeShared ? shared(data) : data);
  if (data.type === "redirect") return [301, 308].includes(data.status) ? share(response) : response;
  const error = data.nodes.find((node) => node?.type === "error")?.error;
  if (!error) return share(response);
  const { status = 500 } = error;
  return status >= 500 ? failed(response, status, error) : response;
}

/**
 * Returns the response of a page whose load function has failed, with the status that the page itself would have. With a 200, a cache
 * would store the error as data. SvelteKit's client reads both forms.
 */
function failed(response: Response, status: number, error: object): Response {
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return Response.json(error, { status, headers });
}

/** Returns a response without SvelteKit's own `Cache-Control`. */
function shared(response: Response): Response {
  const copy = new Response(response.body, response);
  copy.headers.delete("cache-control");
  return copy;
}

/** Returns the path at which SvelteKit's client requests the data of a page: `/blog/first` → `/blog/first/__data.json`. */
export function dataPath(path: string): string {
  return path.endsWith(".html") ? `${path.slice(0, -".html".length)}.html__data.json` : `${path.replace(/\/$/, "")}/__data.json`;
}

/** Invalidates a page and its data. Resolves to the receipts of both. */
export function revalidatePath(
  service: Pick<IsrService, "revalidatePath">,
  path: string,
  options?: RevalidateOptions,
): Promise<Receipt[]> {
  return Promise.all([path, dataPath(path)].map((each) => service.revalidatePath(each, options)));
}
