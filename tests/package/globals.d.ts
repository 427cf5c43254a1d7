/** What the short pieces of code in the documentation take for granted: a binding to the gateway. */
declare const env: { GATEWAY: import("cloudflare-isr").IsrService };
