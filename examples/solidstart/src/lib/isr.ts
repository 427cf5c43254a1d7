import type { Scope } from "cloudflare-isr";
import { getRequestEvent } from "solid-js/web";

/** How the page that is being rendered is cached. In the browser nothing is: there it is undefined. */
export function isr(): Scope | undefined {
  return getRequestEvent()?.locals.isr;
}
