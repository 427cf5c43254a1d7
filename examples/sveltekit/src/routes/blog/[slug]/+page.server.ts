import { error } from "@sveltejs/kit";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = async ({ locals, params, platform }) => {
  // Before anything can fail: where there is no such post, the 404 is forgotten once there is another post.
  locals.isr.set({ tags: ["posts"] });
  const post = await platform!.env.POSTS.get(params.slug);
  if (!post) error(404, "There is no such post");
  // No tag is made of what a visitor has made up.
  locals.isr.set({ tags: [`post:${post.slug}`] });
  return { post, renderedAt: new Date().toISOString() };
};
