const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

export default defineEventHandler(async (event) => {
  const { GATEWAY, POSTS } = useEnv(event);
  const { slug, title, text } = await readObject(event);
  if (!isText(slug) || !isText(title) || !isText(text)) {
    throw createError({ status: 400, message: "slug, title and text are wanted" });
  }
  if (!(await POSTS.edit(slug, { title, text }))) throw createError({ status: 404, message: "There is no such post" });
  await GATEWAY.revalidateTag(`post:${slug}`);
  return { saved: true };
});
