import { error, json } from "@sveltejs/kit";
import { isIsrError, type InvalidateRequest } from "cloudflare-isr";
import { revalidatePath } from "cloudflare-isr/sveltekit";
import type { RequestHandler } from "./$types";

// This example accepts every caller. In your own site, check here who is calling.
export const POST: RequestHandler = async ({ request, platform }) => {
  const { GATEWAY } = platform!.env;
  const what = await request.json().catch(() => null);
  if (typeof what !== "object" || what === null) error(400, "JSON with a path, or what invalidate() takes, is wanted");
  const { path, ...others } = what as InvalidateRequest;
  try {
    // For the cache, a page and its data are two pages.
    const receipts =
      typeof path === "string"
        ? await revalidatePath(GATEWAY, path)
        : (await GATEWAY.invalidate(others)).invalidations;
    return json({ revalidated: true, receipts });
  } catch (thrown) {
    if (isIsrError(thrown) && thrown.code === "invalid_argument") error(400, thrown.message);
    throw thrown;
  }
};
