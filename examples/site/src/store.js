import { DurableObject } from "cloudflare:workers";
import { seedPosts } from "./seed.js";

/**
 * @typedef {object} Post
 * @property {string} slug
 * @property {string} title
 * @property {string} summary
 * @property {string} body Plain text; an empty line separates paragraphs.
 * @property {string} published YYYY-MM-DD
 *
 * @typedef {import("./lab.js").Behaviour} Behaviour
 */

/**
 * All that the site remembers: posts, how often each path was rendered, and how
 * the lab pages should behave.
 *
 * Why a Durable Object and not KV: after an edit the site tells the gateway to
 * revalidate, and the gateway asks for a new render at once. That render must
 * see the edit. KV may go on answering with the old value for a minute, and the
 * stale page would then be cached as if it were fresh. A Durable Object is one
 * place with one order of events: a read that starts after a write sees it. The
 * render counters need the same, or they would lose counts.
 *
 * @extends {DurableObject<import("./index.js").Env>}
 */
export class SiteStore extends DurableObject {
  /**
   * Lab renders under way, by name: when each will be over, by its settings.
   * Only kept in memory; it starts empty when the object does.
   * @type {Map<string, {ends: number[], max: number}>}
   */
  #inFlight = new Map();

  /**
   * How many lab pages have been sent to the last byte, by name. Only kept in memory.
   * @type {Map<string, number>}
   */
  #finished = new Map();

  /**
   * @param {DurableObjectState} ctx
   * @param {import("./index.js").Env} env
   */
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec(`
      CREATE TABLE IF NOT EXISTS posts (
        slug TEXT PRIMARY KEY, title TEXT NOT NULL, summary TEXT NOT NULL,
        body TEXT NOT NULL, published TEXT NOT NULL
      );
      CREATE TABLE IF NOT EXISTS renders (path TEXT PRIMARY KEY, count INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS lab (name TEXT PRIMARY KEY, behaviour TEXT NOT NULL);
    `);
    if (this.sql.exec("SELECT 1 FROM posts LIMIT 1").toArray().length === 0) {
      for (const post of seedPosts) {
        this.sql.exec(
          "INSERT INTO posts (slug, title, summary, body, published) VALUES (?, ?, ?, ?, ?)",
          post.slug, post.title, post.summary, post.body, post.published,
        );
      }
    }
  }

  /**
   * Counts one render of a path.
   * @param {string} path without its query
   * @returns {number} how many there have been, this one included
   */
  countRender(path) {
    const row = this.sql.exec(
      "INSERT INTO renders (path, count) VALUES (?, 1) ON CONFLICT (path) DO UPDATE SET count = count + 1 RETURNING count",
      path,
    ).one();
    return Number(row.count);
  }

  /** @returns {Post[]} newest first */
  listPosts() {
    return /** @type {any[]} */ (this.sql.exec("SELECT * FROM posts ORDER BY published DESC, slug").toArray());
  }

  /**
   * @param {string} slug
   * @param {{title: string, body: string}} edit
   * @returns {{titleChanged: boolean} | null} null if there is no such post
   */
  updatePost(slug, { title, body }) {
    const [old] = this.sql.exec("SELECT title FROM posts WHERE slug = ?", slug).toArray();
    if (!old) return null;
    this.sql.exec("UPDATE posts SET title = ?, body = ? WHERE slug = ?", title, body, slug);
    return { titleChanged: old.title !== title };
  }

  /**
   * A request for a lab page has arrived: counts it and says how to behave.
   * @param {string} name
   * @param {string} path
   * @returns {{count: number, behaviour: Behaviour}}
   */
  enterLab(name, path) {
    const count = this.countRender(path);
    const behaviour = this.#behaviour(name);
    const { delay_ms = 0, chunks = 1, chunk_delay_ms = 0 } = behaviour;

    const now = Date.now();
    const { ends, max } = this.#inFlight.get(name) ?? { ends: [], max: 0 };
    const current = ends.filter((end) => end > now);
    current.push(now + delay_ms + (chunks - 1) * chunk_delay_ms);
    this.#inFlight.set(name, { ends: current, max: Math.max(max, current.length) });

    return { count, behaviour };
  }

  /**
   * Notes that the last byte of a lab page has left.
   * @param {string} name
   */
  finishLab(name) {
    this.#finished.set(name, (this.#finished.get(name) ?? 0) + 1);
  }

  /**
   * @param {string} name
   * @param {Behaviour} behaviour
   */
  setLab(name, behaviour) {
    this.sql.exec(
      "INSERT INTO lab (name, behaviour) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET behaviour = excluded.behaviour",
      name, JSON.stringify(behaviour),
    );
  }

  /** @param {string} name */
  resetLab(name) {
    this.sql.exec("DELETE FROM lab WHERE name = ?", name);
  }

  /** @returns {string[]} the names of the lab pages that have settings */
  listLabs() {
    return this.sql.exec("SELECT name FROM lab ORDER BY name LIMIT 100").toArray().map((row) => String(row.name));
  }

  /**
   * @param {string} name
   * @param {string} path
   * @returns {{renders: number, finished: number, inFlight: number, maxInFlight: number}}
   */
  labStats(name, path) {
    const [row] = this.sql.exec("SELECT count FROM renders WHERE path = ?", path).toArray();
    const { ends, max } = this.#inFlight.get(name) ?? { ends: [], max: 0 };
    const now = Date.now();
    return {
      renders: Number(row?.count ?? 0),
      finished: this.#finished.get(name) ?? 0,
      inFlight: ends.filter((end) => end > now).length,
      maxInFlight: max,
    };
  }

  /**
   * @param {string} name
   * @returns {Behaviour}
   */
  #behaviour(name) {
    const [row] = this.sql.exec("SELECT behaviour FROM lab WHERE name = ?", name).toArray();
    return row ? JSON.parse(String(row.behaviour)) : {};
  }
}
