/** Globals that the short code blocks in the documentation assume. */

/** The binding to the gateway. */
declare const env: { GATEWAY: import("cloudflare-isr").IsrService };

/** What a handler is called with. */
declare const request: Request;
declare const ctx: ExecutionContext;

/** The site. */
declare function render(request: Request): Promise<Response>;
