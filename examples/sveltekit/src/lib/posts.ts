/** A post of the blog. */
export interface Post {
  slug: string;
  title: string;
  text: string;
}

/** The Worker that stores the posts, `examples/posts`, bound as `POSTS`. */
export interface Posts {
  list(): Promise<Post[]>;
  get(slug: string): Promise<Post | null>;
  edit(slug: string, edit: { title: string; text: string }): Promise<boolean>;
}
