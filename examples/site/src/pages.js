import { keepersLog } from "./article.js";
import { html, layout } from "./html.js";
import { logoPng } from "./logo.js";
import { htmlPage, json, render, renderHeaders } from "./respond.js";

/**
 * @typedef {import("./index.js").Context} Context
 * @typedef {import("./store.js").Post} Post
 */

const demos = [
  ["/article", "A long article", "50 KB of text, to compare a render with a cached copy."],
  ["/api/posts.json", "JSON", "The posts as data, with a Cache-Control of its own."],
  ["/logo.png", "An image", "Binary bodies are cached as well."],
  ["/cookie", "Set-Cookie", "A page whose cookie must not be shared between visitors."],
  ["/private", "Private", "Cache-Control: private, no-store."],
  ["/size/100000", "Any size", "A body of exactly as many bytes as the path says."],
  ["/lab", "The lab", "Pages that are slow or fail when you tell them to."],
  ["/editor", "The editor", "Edit a post and see its pages revalidated."],
];

/** @param {Context} context */
export async function home(context) {
  const [rendered, posts] = await Promise.all([render(context), context.store.listPosts()]);
  const main = html`
<h1>Notes from a lighthouse</h1>
<p class="lead">A small site, rendered by one Worker and cached by another. Every page says at its foot when it was
rendered and how often: reload, and as long as the number stays, the page came from the cache.</p>
<h2>Posts</h2>
${posts.map((post) => html`<article class="card">
<h3><a href="/blog/${post.slug}">${post.title}</a></h3>
<p>${post.summary}</p>
<p class="date">${longDate(post.published)}</p>
</article>
`)}
<h2>More to try</h2>
<div class="grid">
${demos.map(([href, name, text]) => html`<div class="card"><a href="${href}">${name}</a><p class="soft">${text}</p></div>
`)}</div>`;
  return htmlPage({ title: "Home", path: "/", main, rendered }, 200, { "cache-tag": "posts" });
}

/** @param {Context} context */
export async function post(context) {
  const slug = context.param;
  const [rendered, posts] = await Promise.all([render(context), context.store.listPosts()]);
  const found = posts.find((candidate) => candidate.slug === slug);
  // The 404 carries the tag too: were the post written later, one revalidation
  // of it would also drop the cached "not found".
  if (!found) return notFoundPage(rendered, { "cache-tag": `post:${slug}` });

  const main = html`
<article>
<h1>${found.title}</h1>
<p class="date"><time datetime="${found.published}">${longDate(found.published)}</time></p>
${found.body.split(/\n{2,}/).map((paragraph) => html`<p>${paragraph}</p>\n`)}
</article>
<h2>More posts</h2>
<ul>${posts.filter((other) => other !== found).map((other) => html`<li><a href="/blog/${other.slug}">${other.title}</a></li>`)}</ul>
<p class="soft"><a href="/editor#${slug}">Edit this post</a></p>`;
  // "posts" because this page shows the titles of the others.
  return htmlPage({ title: found.title, path: `/blog/${slug}`, main, rendered }, 200, { "cache-tag": `posts, post:${slug}` });
}

const articleBytes = 51 * 1024;

/** @param {Context} context */
export async function article(context) {
  const rendered = await render(context);
  /** @param {unknown} log */
  const page = (log) => ({
    title: "The keeper's log",
    path: "/article",
    rendered,
    main: html`
<h1>The keeper's log, 1911</h1>
<p class="lead">Wind, ships, birds and repairs: the first months of a year on the rock, one day at a time. About 50 KB
of them, made up by the site.</p>
${log}`,
  });
  // All of it is ASCII but for the title's dot, so characters are bytes here.
  const log = keepersLog(articleBytes - layout(page(null)).length);
  return htmlPage(page(log));
}

/** @param {Context} context */
export async function logo(context) {
  const rendered = await render(context);
  return new Response(logoPng, { headers: { "content-type": "image/png", ...renderHeaders(rendered) } });
}

/** @param {Context} context */
export async function postsJson(context) {
  const [rendered, posts] = await Promise.all([render(context), context.store.listPosts()]);
  const body = {
    rendered,
    // Only what the tag "posts" stands for: an edit of a body alone leaves this as it is.
    posts: posts.map(({ slug, title, summary, published }) => ({ url: `/blog/${slug}`, title, summary, published })),
  };
  return json(body, 200, {
    "cache-control": "public, s-maxage=30",
    "cache-tag": "posts",
    ...renderHeaders(rendered),
  });
}

/** @param {Context} context */
export async function cookie(context) {
  const rendered = await render(context);
  const visitor = crypto.randomUUID();
  const main = html`
<h1>A cookie for one visitor</h1>
<p class="lead">The site sends this page with a <code>Set-Cookie</code> header, made for one visitor. The gateway shares
the page, and so it takes the header off before: no visitor gets another one's cookie.</p>
<p>Ask the site itself, past the gateway, and the cookie is there. What has to differ between visitors belongs on a page
that may not be shared, such as <a href="/private">/private</a>.</p>`;
  return htmlPage({ title: "Cookie", path: "/cookie", main, rendered }, 200, {
    "set-cookie": `visitor=${visitor}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax`,
  });
}

/** @param {Context} context */
export async function privatePage(context) {
  const rendered = await render(context);
  const header = context.request.headers.get("cookie");
  const visitor = /(?:^|;\s*)visitor=([^;]*)/.exec(header ?? "")?.[1];
  const main = html`
<h1>Hello, ${visitor ? `visitor ${visitor.slice(0, 8)}` : "stranger"}</h1>
<p class="lead">This page is about you alone. It says <code>Cache-Control: private, no-store</code>, and nobody else
will get to see it.</p>
${header === null
    ? html`<p>Your browser sent no cookie.</p>`
    : html`<p>The <code>Cookie</code> header that your browser sent:</p><pre>${header}</pre>`}`;
  return htmlPage({ title: "Private", path: "/private", main, rendered }, 200, { "cache-control": "private, no-store" });
}

const maxSize = 4 * 1024 * 1024;

/** @param {Context} context */
export async function size(context) {
  const rendered = await render(context);
  const bytes = Number(context.param);
  if (bytes > maxSize) {
    const main = html`<h1>Too large</h1><p class="lead">${bytes} bytes were asked for, ${maxSize} are the most.</p>`;
    return htmlPage({ title: "Too large", path: context.url.pathname, main, rendered }, 400);
  }
  // The body depends on nothing but its size, so the render shows in the headers only.
  const body = new Uint8Array(bytes);
  const start = new TextEncoder().encode(`<!doctype html><title>${bytes} bytes</title><pre>\n`);
  const line = new TextEncoder().encode("One white flash every twelve seconds, visible for nineteen miles.\n");
  body.set(start.subarray(0, bytes));
  body.set(line.subarray(0, Math.max(0, bytes - start.length)), Math.min(start.length, bytes));
  // Each copy doubles what is filled.
  for (let filled = line.length; start.length + filled < bytes; filled *= 2) {
    body.copyWithin(start.length + filled, start.length, start.length + filled);
  }
  return new Response(body, { headers: { "content-type": "text/html; charset=utf-8", ...renderHeaders(rendered) } });
}

/** @param {Context} context */
export async function notFound(context) {
  return notFoundPage(await render(context));
}

/**
 * @param {import("./html.js").Rendered} rendered
 * @param {Record<string, string>} [headers]
 */
function notFoundPage(rendered, headers) {
  const main = html`
<h1>Nothing here but sea</h1>
<p class="lead">There is no page at <code>${rendered.path}</code>. The <a href="/">home page</a> lists all that there is.</p>`;
  return htmlPage({ title: "Not found", path: rendered.path, main, rendered }, 404, headers);
}

const dateFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

/** @param {string} date YYYY-MM-DD */
function longDate(date) {
  return dateFormat.format(new Date(date));
}
