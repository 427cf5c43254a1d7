import { cloudflare } from "@cloudflare/vite-plugin";
import { solidStart } from "@solidjs/start/config";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [
    solidStart({ middleware: "./src/middleware.ts" }),
    // SolidStart's server is the Worker of wrangler.toml.
    cloudflare({ viteEnvironment: { name: "ssr" } }),
  ],
});
