/** The routes that change something. This example accepts every caller. In your own site, check here who is calling. */
import { isIsrError, type IsrService } from "cloudflare-isr";

import type { Posts } from "./env.js";

/** Invalidates `{ path }`, `{ tag }` or `{ prefix }`. */
export async function revalidate(request: Request, cache: IsrService): Promise<Response> {
  const what = await body(request);
  if (what === null) return refuse(400, "JSON with a path, a tag or a prefix is wanted");
  try {
    const { invalidations } = await cache.invalidate(what);
    return Response.json({ revalidated: true, receipts: invalidations });
  } catch (error) {
    if (isIsrError(error) && error.code === "invalid_argument") return refuse(400, error.message);
    throw error;
  }
}

/** Changes a post, and invalidates the pages that show it. */
export async function edit(request: Request, posts: Posts, cache: IsrService): Promise<Response> {
  const { slug, title, text } = (await body(request)) ?? {};
  if (!isText(slug) || !isText(title) || !isText(text)) return refuse(400, "slug, title and text are wanted");
  if (!(await posts.edit(slug, { title, text }))) return refuse(404, "there is no such post");
  await cache.revalidateTag(`post:${slug}`);
  return Response.json({ saved: true });
}

async function body(request: Request): Promise<Record<string, unknown> | null> {
  const value: unknown = await request.json().catch(() => null);
  return typeof value === "object" && value !== null ? { ...value } : null;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

function refuse(status: number, message: string): Response {
  return Response.json({ error: message }, { status });
}
