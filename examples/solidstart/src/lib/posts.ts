import { query } from "@solidjs/router";
import { GET } from "@solidjs/start";
import { env } from "cloudflare:workers";
import { isr } from "~/lib/isr";

// Each of these runs twice: for the HTML, and, called by GET, for navigation to the page in a browser. What it says about caching
// holds for both.

/** All posts, and when they were read. */
export const listPosts = query(
  GET(async () => {
    "use server";
    isr()?.set({ revalidate: 60, tags: ["home", "posts"] });
    return { posts: await env.POSTS.list(), renderedAt: new Date().toISOString() };
  }),
  "posts",
);

/** A post, and when it was read. */
export const getPost = query(
  GET(async (slug: string) => {
    "use server";
    const post = await env.POSTS.get(slug);
    // If the post does not exist, the tag `posts` invalidates the answer when the posts change. `post:…` comes from the post,
    // not from the argument: a visitor can make up any argument.
    isr()?.set({ revalidate: 120, tags: post ? ["posts", `post:${post.slug}`] : ["posts"] });
    return { post, renderedAt: new Date().toISOString() };
  }),
  "post",
);

/** When a page that has no data of its own was rendered. Navigation asks for it anew: it says nothing about caching. */
export const getRenderedAt = query(
  GET(async (_path: string) => {
    "use server";
    return new Date().toISOString();
  }),
  "rendered-at",
);
