/**
 * The demo site: a Worker that knows nothing of caching beyond the response
 * headers it sets. The gateway Worker in front of it does the rest; without the
 * gateway the same pages work, each rendered anew for every request.
 *
 * @typedef {object} Gateway The gateway's RPC methods that this site uses.
 * @property {(tag: string) => Promise<object>} revalidateTag
 * @property {(path: string) => Promise<object>} revalidatePath
 *
 * @typedef {object} Env
 * @property {DurableObjectNamespace<import("./store.js").SiteStore>} STORE
 * @property {Gateway} [GATEWAY] Absent when the site runs on its own.
 *
 * @typedef {object} Context What every page gets.
 * @property {Request} request
 * @property {URL} url
 * @property {Env} env
 * @property {DurableObjectStub<import("./store.js").SiteStore>} store
 * @property {string} param The part of the path that the route captured, or "".
 *
 * @typedef {(context: Context) => Response | Promise<Response>} Handler
 */

import { editor, saveEdit } from "./editor.js";
import { lab, labPanel, labPanelSubmit, labReset, labSet, labStats } from "./lab.js";
import * as pages from "./pages.js";

export { SiteStore } from "./store.js";

/** @type {[pattern: RegExp, handlers: Record<string, Handler>][]} */
const routes = [
  [/^\/$/, { GET: pages.home }],
  [/^\/blog\/([a-z0-9-]{1,80})$/, { GET: pages.post }],
  [/^\/article$/, { GET: pages.article }],
  [/^\/logo\.png$/, { GET: pages.logo }],
  [/^\/api\/posts\.json$/, { GET: pages.postsJson }],
  [/^\/cookie$/, { GET: pages.cookie }],
  [/^\/private$/, { GET: pages.privatePage }],
  [/^\/size\/(\d{1,12})$/, { GET: pages.size }],
  [/^\/editor$/, { GET: editor, POST: saveEdit }],
  [/^\/lab$/, { GET: labPanel, POST: labPanelSubmit }],
  [/^\/lab\/([\w.-]{1,64})$/, { GET: lab, POST: labSet, DELETE: labReset }],
  [/^\/lab-stats\/([\w.-]{1,64})$/, { GET: labStats }],
  [/^/, { GET: pages.notFound }],
];

export default {
  /**
   * @param {Request} request
   * @param {Env} env
   */
  async fetch(request, env) {
    const url = new URL(request.url);
    const [param, handlers] = findRoute(url.pathname);

    const isHead = request.method === "HEAD";
    const handler = handlers[isHead ? "GET" : request.method];
    if (!handler) {
      const allow = Object.keys(handlers).join(", ").replace("GET", "GET, HEAD");
      return new Response(`${request.method} is not allowed here.\n`, { status: 405, headers: { allow } });
    }

    // One object holds the whole site, so that every render sees every edit.
    const store = env.STORE.getByName("site");
    const response = await handler({ request, url, env, store, param });

    if (!isHead) return response;
    await response.body?.cancel();
    return new Response(null, response);
  },
};

/**
 * @param {string} pathname
 * @returns {[param: string, handlers: Record<string, Handler>]}
 */
function findRoute(pathname) {
  for (const [pattern, handlers] of routes) {
    const match = pattern.exec(pathname);
    if (match) return [match[1] ?? "", handlers];
  }
  throw new Error("unreachable: the last route matches every path");
}
