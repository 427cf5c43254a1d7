import { error } from "@sveltejs/kit";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = async ({ locals, params, platform }) => {
  locals.isr.set({ tags: ["posts", `post:${params.slug}`] });
  const post = await platform!.env.POSTS.get(params.slug);
  if (!post) error(404, "There is no such post");
  return { post, renderedAt: new Date().toISOString() };
};
