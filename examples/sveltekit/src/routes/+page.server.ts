import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = async ({ locals, platform }) => {
  locals.isr.set({ tags: ["posts"] });
  const posts = await platform!.env.POSTS.list();
  return { posts, renderedAt: new Date().toISOString() };
};
