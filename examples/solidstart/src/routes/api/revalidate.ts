import type { APIEvent } from "@solidjs/start/server";
import { isIsrError, type InvalidateRequest } from "cloudflare-isr";
import { env } from "cloudflare:workers";
import { json, readObject } from "~/lib/respond";

// This example accepts every caller. In your own site, check here who is calling.
export async function POST({ request }: APIEvent) {
  const what = (await readObject(request)) as InvalidateRequest | null;
  if (what === null) return json({ error: "what invalidate() takes is wanted" }, 400);
  try {
    const { invalidations } = await env.GATEWAY.invalidate(what);
    return json({ revalidated: true, receipts: invalidations });
  } catch (thrown) {
    if (isIsrError(thrown) && thrown.code === "invalid_argument") return json({ error: thrown.message }, 400);
    throw thrown;
  }
}
