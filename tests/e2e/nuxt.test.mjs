/** The plugin for Nuxt, as built, with Nitro's arguments, but without Nuxt. The example uses it in a real site. */
import assert from "node:assert/strict";
import { test } from "node:test";

import isr from "../../packages/cloudflare-isr/dist/nuxt.js";

/** Passes a request through the plugin to a page that is not there, and has set its caching values. */
async function visit({ headers = {}, props } = {}) {
  const nitroApp = {
    async localFetch(input, { context }) {
      context._platform.isr.set({ revalidate: 30 });
      return new Response("not found", { status: 404, headers: { "cache-control": "no-cache" } });
    },
    hooks: { hook() {} },
  };
  isr(nitroApp);
  const request = new Request("https://example.com/missing", { headers });
  const context = { _platform: { cloudflare: { request, env: {}, context: { props } } } };
  const answer = await nitroApp.localFetch("/missing", { context });
  return [answer.status, answer.headers.get("cache-control"), answer.headers.get("x-isr-revalidate")];
}

test("a 404 loses Nitro's prohibition where the cache may store it, and nowhere else", async () => {
  const cookie = "session=mine";
  assert.deepEqual(await visit(), [404, null, "30"]);
  assert.deepEqual(await visit({ headers: { cookie } }), [404, "no-cache", "30"]);
  assert.deepEqual(await visit({ headers: { authorization: "Bearer mine" } }), [404, "no-cache", "30"]);
  assert.deepEqual(await visit({ headers: { cookie }, props: { isr: "render" } }), [404, null, "30"]);
});
