/**
 * The posts of the framework examples: a Worker that they bind as `POSTS`, and call by RPC. A render must see the
 * latest edit. A Durable Object guarantees that; KV would not for a minute.
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

/** @typedef {{ slug: string, title: string, text: string }} Post */

/** @type {Post[]} */
const seed = [
  { slug: "hello-world", title: "Hello, world", text: "The first post. It is rendered once, and then served from the cache." },
  { slug: "getting-started", title: "Getting started", text: "Edit a post, and its page changes at once; the others stay as they are." },
  { slug: "third-post", title: "A third post", text: "There are enough posts now to see that one of them can change alone." },
];

export default class extends WorkerEntrypoint {
  get #store() {
    return this.env.STORE.getByName("posts");
  }

  /** This Worker serves nothing over HTTP. */
  fetch() {
    return new Response("Call me by RPC.\n", { status: 404 });
  }

  /** Lists the posts. */
  list() {
    return this.#store.list();
  }

  /**
   * Finds a post; `null` if there is none.
   * @param {string} slug
   */
  get(slug) {
    return this.#store.get(slug);
  }

  /**
   * Changes a post. Resolves to whether there is one.
   * @param {string} slug
   * @param {{ title: string, text: string }} edit
   */
  edit(slug, edit) {
    return this.#store.edit(slug, edit);
  }

  /**
   * Counts a render of a path. Resolves to how many there have been, this one included.
   * @param {string} path
   */
  count(path) {
    return this.#store.count(path);
  }
}

export class PostStore extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec(`
      CREATE TABLE IF NOT EXISTS posts (slug TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS renders (path TEXT PRIMARY KEY, count INTEGER NOT NULL);
    `);
    for (const { slug, title, text } of seed) {
      this.sql.exec("INSERT INTO posts VALUES (?, ?, ?) ON CONFLICT DO NOTHING", slug, title, text);
    }
  }

  list() {
    return this.sql.exec("SELECT slug, title, text FROM posts ORDER BY rowid").toArray();
  }

  get(slug) {
    return this.sql.exec("SELECT slug, title, text FROM posts WHERE slug = ?", slug).toArray()[0] ?? null;
  }

  edit(slug, { title, text }) {
    return this.sql.exec("UPDATE posts SET title = ?, text = ? WHERE slug = ? RETURNING slug", title, text, slug).toArray().length > 0;
  }

  count(path) {
    const counted = this.sql.exec(
      "INSERT INTO renders VALUES (?, 1) ON CONFLICT (path) DO UPDATE SET count = count + 1 RETURNING count",
      path,
    );
    return Number(counted.one().count);
  }
}
