/** The accepted difference to a render's time, in seconds: clocks differ, and requests are delayed. */
const TOLERANCE = 300;

const SIGNATURE = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/;

/**
 * Returns whether a request is a render of the cache, which signs renders if it has the secret. The header `x-isr-render` contains the signature,
 * `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<METHOD>.<path and query>">`. It is valid from five minutes before `t` to five after.
 *
 * @param secret the secret `ISR_RENDER_SECRET` of the gateway
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
