/** Changes a post, and has the pages that show it rendered anew. */
export default defineEventHandler(async (event) => {
  const { slug, title, text } = await readObject(event);
  if (typeof slug !== "string" || typeof title !== "string" || typeof text !== "string" || !title || !text) {
    throw createError({ status: 400, message: "slug, title and text must be strings that are not empty." });
  }
  const { GATEWAY, POSTS } = useEnv(event);
  if (!(await POSTS.edit(slug, { title, text }))) throw createError({ status: 404, message: "There is no such post." });
  return { edited: true, receipt: await GATEWAY.revalidateTag(`post:${slug}`) };
});
