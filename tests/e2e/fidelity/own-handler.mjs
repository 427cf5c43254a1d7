/** A Worker with the cache in front of its own handler, whose pages vary by cookie. */
import { IsrCoordinator, IsrTagIndex, withIsr } from "../../../build/entry.js";

export { IsrCoordinator, IsrTagIndex };

export default withIsr({
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/blank.css") return new Response("", { headers: { "content-type": "text/css", "content-length": "0" } });
    const headers = { "content-type": "text/html", "cache-tag": Array.from({ length: 120 }, (_, n) => `t-${n}`).join() };
    if (pathname.startsWith("/varied")) headers.vary = "Cookie";
    return new Response(`for ${request.headers.get("cookie") ?? "everybody"}`, { headers });
  },
});
