export { default } from "cloudflare-isr/nuxt";
