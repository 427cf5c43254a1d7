import { server } from "./.svelte-kit/cloudflare/server.js";

let ready: Promise<unknown> | undefined;

export default {
  async fetch(request, env, ctx) {
    await (ready ??= server.init({ env: {} }));
    return server.respond(request, {
      platform: { env, ctx },
      getClientAddress: () => request.headers.get("cf-connecting-ip") ?? "",
    });
  },
} satisfies {
  fetch(request: Request, env: App.Platform["env"], ctx: App.Platform["ctx"]): Promise<Response>;
};
