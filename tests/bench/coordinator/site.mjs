// The origin of the coordinators: `/<route>/<bytes>/<name>` is a page of that many bytes. It answers at once, or, if
// the page is held, as soon as it is released. A page whose name begins with `tagged` has two tags; one of `/of` has
// the first part of its name as its tag. The origin counts its renders.

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
    const [, route, bytes, name] = pathname.split("/");
    const headers = new Headers({ "content-type": "text/html; charset=utf-8" });
    if (name.startsWith("tagged")) headers.set("cache-tag", "news, start");
    if (route === "of") headers.set("cache-tag", name.split("-")[0]);
    return new Response("x".repeat(Number(bytes)), { headers });
  },
};
