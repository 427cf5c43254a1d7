// The bare Worker for clients that already have the page: it compares one `ETag` with another.

import bare from "./bare.mjs";

let cache;

export default {
  async fetch(request, env, ctx) {
    const tag = request.headers.get("if-none-match");
    if (tag === null) return bare.fetch(request, env, ctx);
    cache ??= await caches.open(env.CACHE_NAME);
    const cached = await cache.match(request.url);
    if (cached?.headers.get("etag") === tag) return new Response(null, { status: 304, headers: cached.headers });
    return cached ?? bare.fetch(request, env, ctx);
  },
};
