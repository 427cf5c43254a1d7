import { isIsrError, type InvalidateRequest } from "cloudflare-isr";
import { revalidatePath } from "cloudflare-isr/nuxt";

// This example accepts every caller. In your own site, check here who is calling.
export default defineEventHandler(async (event) => {
  const { GATEWAY } = useEnv(event);
  const { path, ...others } = (await readObject(event)) as InvalidateRequest;
  try {
    // For the cache, a page and its payload are two pages.
    const receipts =
      typeof path === "string"
        ? await revalidatePath(GATEWAY, path)
        : (await GATEWAY.invalidate(others)).invalidations;
    return { revalidated: true, receipts };
  } catch (error) {
    if (isIsrError(error) && error.code === "invalid_argument") throw createError({ status: 400, message: error.message });
    throw error;
  }
});
