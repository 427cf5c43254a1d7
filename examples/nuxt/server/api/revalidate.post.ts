import { isIsrError, type InvalidateRequest } from "cloudflare-isr";
import { revalidatePath } from "cloudflare-isr/nuxt";

// For everybody, since this is an example: a site of your own asks here who is calling.
export default defineEventHandler(async (event) => {
  const { GATEWAY } = useEnv(event);
  const { path, ...others } = (await readObject(event)) as InvalidateRequest;
  try {
    // A page and the payload for navigation to it are two pages of the cache.
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
