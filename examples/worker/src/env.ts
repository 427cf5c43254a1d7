/** A post of the blog. */
export interface Post {
  slug: string;
  title: string;
  text: string;
}

/** The Worker that stores the posts, `examples/posts`. */
export interface Posts {
  list(): Promise<Post[]>;
  get(slug: string): Promise<Post | null>;
  edit(slug: string, edit: { title: string; text: string }): Promise<boolean>;
}

/** The bindings that the handler uses; the cache finds its own bindings by itself. */
export interface Env {
  POSTS: Posts;
}
