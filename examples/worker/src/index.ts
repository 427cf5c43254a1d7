/**
 * A Worker with the cache in front of its own handler: `[vars.ISR]` in wrangler.toml lists the pages that it stores.
 */
import type { IsrService } from "cloudflare-isr";
import { withIsr } from "cloudflare-isr/gateway";

import { edit, revalidate } from "./api.js";
import type { Env } from "./env.js";
import { page } from "./pages.js";

export { IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";

export default withIsr<Env>({
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    // This Worker's own entrypoint. withIsr has added the methods of the cache to it.
    const { default: cache } = ctx.exports as unknown as { default: IsrService };
    if (request.method === "POST" && pathname === "/api/revalidate") return revalidate(request, cache);
    if (request.method === "POST" && pathname === "/api/edit") return edit(request, env.POSTS, cache);
    if (request.method !== "GET" && request.method !== "HEAD") return new Response("GET, HEAD or POST\n", { status: 405 });
    return page(pathname, env.POSTS);
  },
});
