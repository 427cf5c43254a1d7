import RustGateway from "../../../build/index.js";
import { html, policy } from "../../../build/dashboard.js";
import { constants } from "./hit.js";

/** The headers of the dashboard's page. Script and style are inside, and nothing else may run: `policy` has their hashes. */
const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** The path without the slash at its end. */
const SHORT = constants.dashboardPath.slice(0, -1);

/**
 * Serves the page of the dashboard. Returns nothing if a request is for something else, or if nobody can sign in: then the gateway
 * answers.
 */
export function dashboard(request: Request, env: unknown, ctx: ExecutionContext): Response | undefined {
  const { method, url } = request;
  // Most URLs need no parser.
  if (!url.includes(SHORT) || (ctx.props as { isr?: unknown } | undefined)?.isr !== undefined) return undefined;
  const { pathname, search } = new URL(url);
  if (pathname !== constants.dashboardPath && pathname !== SHORT) return undefined;
  if (!new RustGateway(ctx, env).isrHasDashboard(env)) return undefined;
  if (method !== "GET" && method !== "HEAD") {
    return Response.json({ error: { code: "method_not_allowed", message: "use GET" } }, { status: 405, headers: { allow: "GET, HEAD", "cache-control": "no-store" } });
  }
  if (pathname === SHORT) return new Response(null, { status: 308, headers: { location: constants.dashboardPath + search, "cache-control": "no-store" } });
  return new Response(method === "HEAD" ? null : html, { headers: HEADERS });
}
