import type { Adapter } from "@sveltejs/kit";

/**
 * Writes what `worker.ts` needs: the server, and the files that the platform serves by itself.
 *
 * It stands in for `@sveltejs/adapter-cloudflare`, whose newest release (8.0.0-next.6) is from before SvelteKit 3.0, and fails with
 * it. Nothing about caching depends on which of the two it is.
 */
export default function adapter(): Adapter {
  return {
    name: "isr-example-adapter",
    adapt(builder) {
      const folder = builder.getBuildDirectory("cloudflare");
      builder.rimraf(folder);
      builder.writeClient(`${folder}/assets`);
      builder.writePrerendered(`${folder}/assets`);
      builder.generateServerInstance(`${folder}/server.js`);
    },
  };
}
