import type { IsrService } from "cloudflare-isr";

/** A post of the blog. */
export interface Post {
  slug: string;
  title: string;
  text: string;
}

/** The bindings of wrangler.toml. */
export interface Env {
  GATEWAY: IsrService;
  /** The Worker that stores the posts, `examples/posts`. */
  POSTS: {
    list(): Promise<Post[]>;
    get(slug: string): Promise<Post | null>;
    edit(slug: string, edit: { title: string; text: string }): Promise<boolean>;
  };
}
