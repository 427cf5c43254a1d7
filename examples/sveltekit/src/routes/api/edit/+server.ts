import { error, json } from "@sveltejs/kit";
import type { RequestHandler } from "./$types";

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

export const POST: RequestHandler = async ({ request, platform }) => {
  const { GATEWAY, POSTS } = platform!.env;
  const { slug, title, text } = ((await request.json().catch(() => null)) ?? {}) as Record<string, unknown>;
  if (!isText(slug) || !isText(title) || !isText(text)) error(400, "slug, title and text are wanted");
  if (!(await POSTS.edit(slug, { title, text }))) error(404, "There is no such post");
  await GATEWAY.revalidateTag(`post:${slug}`);
  return json({ saved: true });
};
