/** A site that answers with what it takes a request for: whether it is a render, by both signals, and whose cookies it carries. */
import { isOwnRender, isRender } from "../../packages/cloudflare-isr/dist/index.js";

export default {
  async fetch(request, env, ctx) {
    const isSigned = await isRender(request, env.ISR_RENDER_SECRET);
    return Response.json({ cookie: request.headers.get("cookie"), isOwn: isOwnRender(ctx), isSigned });
  },
};
