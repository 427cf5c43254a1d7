/**
 * A Worker that renders pages itself, controlled step by step: `POST` with `{ lookup: path, method, headers, cf }` or
 * with `{ store: ticket, response: { status, headers, body, chunks, pause, breaks }, settings }`, where `bytes` and
 * `fill` may replace `body`. `by` names the binding, by default `ISR`.
 */
const seen = async ({ status, reason, ticket, request, response }) => ({
  status,
  reason,
  ticket,
  request: request && { url: request.url, method: request.method, headers: Object.fromEntries(request.headers) },
  response: response && {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text().catch(() => "broken off"),
  },
});

function stream(bytes, chunks, pause, breaks) {
  const step = Math.ceil(bytes.length / chunks);
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      if (at > 0) await scheduler.wait(pause);
      if (at >= bytes.length) return breaks ? controller.error(new Error("broke off")) : controller.close();
      controller.enqueue(bytes.slice(at, (at += step)));
    },
  });
}

export default {
  async fetch(request, env) {
    const { by = "ISR", lookup, method, headers, cf, store, response, settings } = await request.json();
    const isr = by === "ISR" ? env.ISR : env[by].getByName(by === "TAG_INDEX" ? "tags#0" : "/lab/[name]#0");
    try {
      if (lookup !== undefined) {
        const wanted = typeof lookup === "string" && lookup.startsWith("/") ? new URL(lookup, request.url).href : lookup;
        const asked = method || headers || cf ? new Request(wanted, { method, headers, cf }) : wanted;
        return Response.json(await seen(await isr.lookup(asked)));
      }
      const { body, bytes, fill, chunks, pause = 0, breaks = false, ...init } = response;
      const whole = bytes ? new Uint8Array(bytes).fill(fill) : body === undefined ? null : new TextEncoder().encode(body);
      const page = new Response(chunks ? stream(whole, chunks, pause, breaks) : whole, init);
      return Response.json(await isr.store(store, page, settings));
    } catch (error) {
      return Response.json({ code: error.code, message: error.message });
    }
  },
};
