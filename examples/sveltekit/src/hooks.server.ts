import type { Handle } from "@sveltejs/kit/hooks";
import { handle as isr } from "cloudflare-isr/sveltekit";

export const handle: Handle = isr();
