/**
 * A Worker with the cache in front of its own handler. Each page shows how often it was rendered, and the headers that
 * the handler received. `OwnClass` is the same with a class as the handler.
 */
import { WorkerEntrypoint } from "cloudflare:workers";

import { IsrCoordinator, IsrTagIndex, withIsr } from "../../build/entry.js";

export { IsrCoordinator, IsrTagIndex };

const renders = new Map();
let scheduled = 0;

async function answer(request, ctx) {
  const { pathname } = new URL(request.url);
  if (pathname === "/scheduled") return new Response(String(scheduled));
  if (pathname === "/throws") throw new Error("the handler's own error");
  const render = (renders.get(pathname) ?? 0) + 1;
  renders.set(pathname, render);
  const headers = { "x-render-count": String(render), "x-isr-revalidate": "60", "cache-tag": "own" };
  if (pathname === "/blog/opted-out") headers["x-isr-revalidate"] = "0";
  if (pathname === "/blog/fails") return new Response("failed", { status: 500, headers });
  ctx.waitUntil(Promise.resolve());
  return Response.json({ method: request.method, props: ctx.props ?? null, headers: Object.fromEntries(request.headers), text: await request.text() }, { headers });
}

const handler = {
  fetch: (request, env, ctx) => answer(request, ctx),
  scheduled(controller, env, ctx) {
    scheduled += ctx ? 1 : NaN;
  },
};

export class OwnClass extends withIsr(
  class extends WorkerEntrypoint {
    fetch(request) {
      return answer(request, this.ctx);
    }

    greet(name) {
      return `hello ${name}`;
    }
  },
) {}

export default withIsr(handler);
