// The site behind the coordinators: `/<route>/<bytes>/<name>` is a page of that many bytes, at once; or, if the page is
// held, as soon as it is released. A page whose name begins with `tagged` has two tags. It counts its renders.

const held = new Set();
let renders = 0;

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/hold":
        held.add(await request.text());
        return new Response();
      case "/release":
        held.delete(await request.text());
        return new Response();
      case "/renders":
        return Response.json(renders);
    }
    renders++;
    while (held.has(pathname)) await scheduler.wait(5);
    const [, , bytes, name] = pathname.split("/");
    const headers = { "content-type": "text/html; charset=utf-8", ...(name.startsWith("tagged") && { "cache-tag": "news, start" }) };
    return new Response("x".repeat(Number(bytes)), { headers });
  },
};
