// Empties a cache between two rounds. All Workers share a named cache.

export default {
  async fetch(request, env) {
    const { cache: name, urls } = await request.json();
    const deleted = await Promise.all((await namesOf(name, env)).map((cache) => empty(cache, urls)));
    return Response.json({ deleted: deleted.reduce((sum, one) => sum + one, 0) });
  },
};

async function empty(name, urls) {
  const cache = await caches.open(name);
  const deleted = await Promise.all(urls.map((url) => cache.delete(url)));
  return deleted.filter(Boolean).length;
}

/**
 * The names of a cache: as it is configured, for the bare caches and for gateways of older checkouts, and with the identity
 * of the deployment, which is computed as `src/deployment.rs` does.
 */
async function namesOf(name, { TAG_INDEX }) {
  const root = new TextEncoder().encode(TAG_INDEX.idFromName("tags#0").toString());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", root)).slice(0, 16);
  const identity = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [name, `${name}.${identity}`];
}
