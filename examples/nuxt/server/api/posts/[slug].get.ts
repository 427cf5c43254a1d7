export default defineEventHandler(async (event) => {
  const post = await useEnv(event).POSTS.get(getRouterParam(event, "slug", { decode: true }) ?? "");
  if (!post) throw createError({ status: 404, message: "There is no such post" });
  return post;
});
