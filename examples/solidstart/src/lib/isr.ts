import type { Scope } from "cloudflare-isr";
import { getRequestEvent } from "solid-js/web";

/** Returns the scope of the page that is being rendered, or undefined in the browser, where nothing is cached. */
export function isr(): Scope | undefined {
  return getRequestEvent()?.locals.isr;
}
