import { server } from "./.svelte-kit/cloudflare/server.js";

let ready: Promise<unknown> | undefined;

const site = {
  async fetch(request: Request, env: App.Platform["env"], ctx: App.Platform["ctx"]): Promise<Response> {
    await (ready ??= server.init({ env: {} }));
    return server.respond(request, {
      platform: { env, ctx },
      getClientAddress: () => request.headers.get("cf-connecting-ip") ?? "",
    });
  },
};

export default site;

// Only for a site without the gateway in front: the cache renders through this entrypoint, because static assets are in front of
// the default one, and the props of a binding are lost there.
export { site as Render };
