/** An origin behind a URL that answers as a test says, and a gateway in front of it with one `/*` route. */
import { createServer } from "node:http";
import { after } from "node:test";

import { start } from "../harness.mjs";

const servers = [];
after(() => servers.forEach((server) => server.close()));

/**
 * Starts an origin. It notes each request in `seen`: method, URL, raw headers by name, and body.
 * @param {(request: { method: string, url: string, headers: Record<string, string>, body: string },
 *   response: import("node:http").ServerResponse) => void} answer
 */
export async function originOf(answer) {
  const seen = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk)).on("end", () => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body });
      answer(seen.at(-1), response);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  const arrived = (url) => seen.filter((request) => request.url === url);
  return { url: `http://127.0.0.1:${server.address().port}`, seen, arrived };
}

/**
 * Starts a gateway in front of an origin, as a new user does: the origin's URL, one route, defaults otherwise.
 * @param {{ url: string }} origin
 * @param {{ settings?: object, route?: object, routes?: Record<string, object>, base?: string }} [options]
 */
export function gatewayFor(origin, { settings = {}, route = {}, routes = { "/*": route }, base = "", ...options } = {}) {
  return start({ origin: null, isr: { origin: origin.url + base, ...settings, routes }, ...options });
}
