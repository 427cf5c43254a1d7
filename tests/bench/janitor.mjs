// Empties a cache between two rounds. All Workers share a named cache.

export default {
  async fetch(request) {
    const { cache: name, urls } = await request.json();
    const cache = await caches.open(name);
    const deleted = await Promise.all(urls.map((url) => cache.delete(url)));
    return Response.json({ deleted: deleted.filter(Boolean).length });
  },
};
