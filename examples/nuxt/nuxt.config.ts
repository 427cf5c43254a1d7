export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  typescript: { strict: true },
  nitro: { preset: "cloudflare_module" },
  // Provides the data of a page for client-side navigation at <path>/_payload.json. The HTML also contains the data inline, so
  // that both always come from the same render.
  experimental: { payloadExtraction: "client" },
  // Nuxt provides the payload for paths with the rule `isr`. The gateway defines which pages are cached, and for how long.
  routeRules: {
    "/": { isr: true },
    "/blog/**": { isr: true },
    "/nested/**": { isr: true },
  },
});
