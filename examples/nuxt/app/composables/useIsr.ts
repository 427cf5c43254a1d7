import type { Scope } from "cloudflare-isr/nuxt";

/** How the page that is being rendered is cached. In the browser nothing is: there it is undefined. */
export function useIsr(): Scope | undefined {
  return useRequestEvent()?.context.isr;
}
