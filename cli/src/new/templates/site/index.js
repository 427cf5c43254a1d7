/** An example of a site. `Cache-Tag` names the content of a page, so that the page can be invalidated when the content changes. */
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    const now = new Date().toISOString();
    if (pathname === "/") return page(`<h1>Home</h1><p>Rendered at ${now}. <a href="/blog/hello">A post</a></p>`);
    const [, slug] = /^\/blog\/([a-z0-9-]+)$/.exec(pathname) ?? [];
    if (slug) return page(`<h1>${slug}</h1><p>Rendered at ${now}.</p>`, { "cache-tag": `post:${slug}` });
    return page("<h1>Not found</h1>", {}, 404);
  },
};

function page(body, headers = {}, status = 200) {
  const html = `<!doctype html><meta charset="utf-8"><title>Example</title>${body}`;
  return new Response(html, { status, headers: { "content-type": "text/html; charset=utf-8", ...headers } });
}
