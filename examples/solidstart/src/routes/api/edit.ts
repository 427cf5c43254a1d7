import type { APIEvent } from "@solidjs/start/server";
import { env } from "cloudflare:workers";
import { json, readObject } from "~/lib/respond";

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

export async function POST({ request }: APIEvent) {
  const { slug, title, text } = (await readObject(request)) ?? {};
  if (!isText(slug) || !isText(title) || !isText(text)) return json({ error: "slug, title and text are wanted" }, 400);
  if (!(await env.POSTS.edit(slug, { title, text }))) return json({ error: "There is no such post" }, 404);
  await env.GATEWAY.revalidateTag(`post:${slug}`);
  return json({ saved: true });
}
