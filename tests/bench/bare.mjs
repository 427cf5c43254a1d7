// The baseline for the gateway: the least that a Worker must do to answer from its cache. It knows neither the age of a
// page nor any invalidation.

let cache;

export default {
  async fetch(request, env, ctx) {
    cache ??= await caches.open(env.CACHE_NAME);
    const cached = await cache.match(request.url);
    if (cached) return cached;

    const page = (env.KV && (await fromKv(request, env))) || (await fromSite(request, env, ctx));
    ctx.waitUntil(cache.put(request.url, page.clone()));
    return page;
  },
};

async function fromKv(request, env) {
  const { value, metadata } = await env.KV.getWithMetadata(request.url, { type: "arrayBuffer", cacheTtl: 60 });
  return value && new Response(value, { headers: { ...metadata, "x-from": "kv" } });
}

async function fromSite(request, env, ctx) {
  const rendered = await env.ORIGIN.fetch(request);
  const page = new Response(rendered.body, rendered);
  page.headers.set("cache-control", "public, max-age=3600");
  page.headers.set("etag", '"bare"');
  if (env.KV) {
    const copy = page.clone();
    const put = async () => env.KV.put(request.url, await copy.arrayBuffer(), { metadata: Object.fromEntries(copy.headers) });
    ctx.waitUntil(put());
  }
  return page;
}
