import type { Scope } from "cloudflare-isr/nuxt";

/** Returns the scope of the page that is being rendered, or undefined in the browser, where nothing is cached. */
export function useIsr(): Scope | undefined {
  return useRequestEvent()?.context.isr;
}
