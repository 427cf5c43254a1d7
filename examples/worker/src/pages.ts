/** The pages. The cache settings of a page and of its layout are collected in a page policy. */
import { applyPagePolicy, createPagePolicy, type PagePolicy } from "cloudflare-isr";

import type { Post, Posts } from "./env.js";
import { html, raw, type Html } from "./html.js";

/** A page: its name, its title, and its content. */
interface Page {
  name: string;
  title: string;
  content: Html;
  status?: number;
}

/** Renders the page at a path. */
export async function page(pathname: string, posts: Posts): Promise<Response> {
  const policy = createPagePolicy();
  const rendered = await find(pathname, posts, policy);
  const response = new Response(layout(rendered), {
    status: rendered.status ?? 200,
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  applyPagePolicy(response.headers, policy);
  return response;
}

async function find(pathname: string, posts: Posts, policy: PagePolicy): Promise<Page> {
  if (pathname === "/") return home(await posts.list(), policy);
  const [, slug] = /^\/blog\/([\w-]+)$/.exec(pathname) ?? [];
  const post = slug === undefined ? null : await posts.get(slug);
  if (post !== null) return blogPost(post, policy);
  return nested(pathname, policy) ?? { name: "missing", title: "Not found", content: html`<p>There is no such page.</p>`, status: 404 };
}

function home(posts: Post[], policy: PagePolicy): Page {
  policy.set({ tags: ["posts"] });
  const items = posts.map(({ slug, title }) => html`<li><a href="/blog/${slug}">${title}</a></li>`);
  return { name: "home", title: "Posts", content: html`<ul>${items}</ul>` };
}

function blogPost({ slug, title, text }: Post, policy: PagePolicy): Page {
  policy.set({ tags: ["posts", `post:${slug}`] });
  const content = html`<p>${text}</p>
    <h2>Edit</h2>
    <form data-slug="${slug}">
      <p><label>Title <input name="title" value="${title}" required></label></p>
      <p><label>Text <textarea name="text" rows="4" cols="50" required>${text}</textarea></label></p>
      <button>Save</button> <output></output>
    </form>
    <script type="module">${raw(SAVE)}</script>`;
  return { name: "post", title, content };
}

/** Renders the pages with a layout of their own, which has cache settings for all of them. */
function nested(pathname: string, policy: PagePolicy): Page | null {
  const pages: Record<string, () => Page> = {
    "/nested": () => ({ name: "nested", title: "Nested", content: html`<p>As the layout says: 300 s.</p>` }),
    "/nested/override": () => {
      policy.set({ revalidate: 30, tags: ["override"] });
      return { name: "override", title: "Override", content: html`<p>As the page says: 30 s.</p>` };
    },
    "/nested/optout": () => {
      policy.set({ revalidate: 0 });
      return { name: "optout", title: "Opted out", content: html`<p>Rendered for each visitor.</p>` };
    },
  };
  const found = pages[pathname];
  if (found === undefined) return null;
  policy.defaults({ revalidate: 300, tags: ["nested"] });
  return found();
}

/** Sends the form, and shows the resulting page. */
const SAVE = `
  const form = document.querySelector("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { title, text } = Object.fromEntries(new FormData(form));
    const response = await fetch("/api/edit", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ slug: form.dataset.slug, title, text }),
    });
    if (response.ok) location.reload();
    else form.querySelector("output").textContent = "Not saved: " + (await response.text());
  });
`;

function layout({ name, title, content }: Page): string {
  const now = new Date().toISOString();
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <link rel="icon" href="data:,">
        <title>${title}</title>
      </head>
      <body>
        <nav>
          <a href="/">Posts</a> <a href="/nested">Nested</a> <a href="/nested/override">Override</a> <a href="/nested/optout">Opted out</a>
        </nav>
        <main data-page="${name}">
          <h1>${title}</h1>
          ${content}
          <p><small>Rendered at <time data-rendered-at datetime="${now}">${now}</time></small></p>
        </main>
      </body>
    </html>`.text;
}
