import { isIsrError } from "cloudflare-isr";

/** Revalidates what `{ path, tag, prefix }` name. On a site that anybody can reach, ask for a token first. */
export default defineEventHandler(async (event) => {
  const what = await readObject(event);
  try {
    const { invalidations } = await useEnv(event).GATEWAY.invalidate(what);
    return { revalidated: true, receipts: invalidations };
  } catch (error) {
    if (isIsrError(error) && error.code === "invalid_argument") throw createError({ status: 400, message: error.message });
    throw error;
  }
});
