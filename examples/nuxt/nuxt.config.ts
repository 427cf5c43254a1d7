export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  typescript: { strict: true },
  nitro: { preset: "cloudflare_module" },
  // The data of a page, for navigation inside the site, as a file beside it: <path>/_payload.json. The HTML has it inline, so that
  // both always come from one render.
  experimental: { payloadExtraction: "client" },
  // Nuxt offers that file where a rule says `isr`. What is cached, and for how long, the gateway knows.
  routeRules: {
    "/": { isr: true },
    "/blog/**": { isr: true },
    "/nested/**": { isr: true },
  },
});
