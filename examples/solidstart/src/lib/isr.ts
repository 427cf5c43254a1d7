import type { PagePolicy } from "cloudflare-isr";
import { getRequestEvent } from "solid-js/web";

/** Returns the policy of the page that is being rendered, or undefined in the browser, where nothing is cached. */
export function isr(): PagePolicy | undefined {
  return getRequestEvent()?.locals.isr;
}
