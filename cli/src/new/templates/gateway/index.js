export { default, IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";
