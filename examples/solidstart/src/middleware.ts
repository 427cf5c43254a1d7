import { createMiddleware } from "@solidjs/start/middleware";
import { isr } from "cloudflare-isr/solidstart";

export default createMiddleware([isr()]);
