/** How far a render's time may be off, in seconds: clocks differ, and requests are delayed. */
const TOLERANCE = 300;

const SIGNATURE = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/;

/**
 * Tells whether a request is the cache's own, to render a page, for a site that the cache reaches by URL. It is signed in the header
 * `x-isr-render`: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<METHOD>.<path and query>">`, and holds for five minutes.
 *
 * @param secret the same as the gateway's secret
 * @param now the time in milliseconds, for tests
 */
export async function isRender(request: Request, secret: string, now: number = Date.now()): Promise<boolean> {
  const [, time, signature] = SIGNATURE.exec(request.headers.get("x-isr-render") ?? "") ?? [];
  if (!secret || time === undefined || signature === undefined) return false;
  if (Math.abs(now / 1000 - Number(time)) > TOLERANCE) return false;
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["verify"]);
  const { pathname, search } = new URL(request.url);
  const bytes = Uint8Array.from(signature.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  // Compares in constant time.
  return crypto.subtle.verify("HMAC", key, bytes, encoder.encode(`${time}.${request.method}.${pathname}${search}`));
}
