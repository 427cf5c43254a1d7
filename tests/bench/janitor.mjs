// Empties a cache between two rounds. A named cache is one and the same for all Workers.

export default {
  async fetch(request) {
    const { cache: name, urls } = await request.json();
    const cache = await caches.open(name);
    const deleted = await Promise.all(urls.map((url) => cache.delete(url)));
    return Response.json({ deleted: deleted.filter(Boolean).length });
  },
};
