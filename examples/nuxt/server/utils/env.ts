import type { IsrService } from "cloudflare-isr";
import type { H3Event } from "h3";

export interface Post {
  slug: string;
  title: string;
  text: string;
}

/** The bindings of wrangler.toml. */
export interface Env {
  GATEWAY: IsrService;
  POSTS: {
    list(): Promise<Post[]>;
    get(slug: string): Promise<Post | null>;
    edit(slug: string, edit: { title: string; text: string }): Promise<boolean>;
  };
}

export function useEnv(event: H3Event): Env {
  return event.context.cloudflare.env;
}

/** Reads a body that has to be a JSON object. */
export async function readObject(event: H3Event): Promise<Record<string, unknown>> {
  const body: unknown = await readBody(event).catch(() => undefined);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw createError({ status: 400, message: "a JSON object is wanted" });
  }
  return { ...body };
}
