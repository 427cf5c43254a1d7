import type { PagePolicy } from "cloudflare-isr/nuxt";

/** Returns the policy of the page that is being rendered, or undefined in the browser, where nothing is cached. */
export function useIsr(): PagePolicy | undefined {
  return useRequestEvent()?.context.isr;
}
