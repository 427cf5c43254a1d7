import { error } from "@sveltejs/kit";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = async ({ locals, params, platform }) => {
  // Set this before anything can fail: if the post does not exist, the tag invalidates the 404 when the posts change.
  locals.isr.set({ tags: ["posts"] });
  const post = await platform!.env.POSTS.get(params.slug);
  if (!post) error(404, "There is no such post");
  // Create the tag from the post, not from the URL: a visitor can make up any URL.
  locals.isr.set({ tags: [`post:${post.slug}`] });
  return { post, renderedAt: new Date().toISOString() };
};
