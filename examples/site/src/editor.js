import { html } from "./html.js";
import { field, htmlPage, noStore, readForm, render } from "./respond.js";

/**
 * @typedef {import("./index.js").Context} Context
 * @typedef {{slug: string, title: string, body: string}} Edit
 */

const maxTitle = 200;
const maxBody = 20 * 1024;
// Form encoding writes up to three characters for a byte.
const maxForm = 3 * maxBody + 4096;

/** @param {Context} context */
export async function editor(context) {
  const [rendered, posts] = await Promise.all([render(context), context.store.listPosts()]);
  const main = html`
<h1>Editor</h1>
<p class="lead">Saving stores the post and tells the gateway which pages are out of date: those tagged
<code>post:&lt;slug&gt;</code>, and if the title changed also <code>posts</code>, the pages that list titles.
There is no login: this is a demo.</p>
${posts.map(editForm)}`;
  return htmlPage({ title: "Editor", path: "/editor", main, rendered }, 200, noStore);
}

/** @param {Context} context */
export async function saveEdit({ request, env, store }) {
  const read = await readForm(request, maxForm);
  if ("error" in read) return problem(read.status, "The form could not be read", html`<p>${read.error}</p>`);

  const edit = {
    slug: field(read.form, "slug"),
    title: field(read.form, "title").replace(/\s+/g, " "),
    body: field(read.form, "body"),
  };
  const errors = check(edit);
  if (errors.length > 0) {
    return problem(400, "Not saved", html`<ul>${errors.map((error) => html`<li>${error}</li>`)}</ul>`, edit);
  }

  const saved = await store.updatePost(edit.slug, edit);
  if (!saved) return problem(404, "Not saved", html`<p>There is no post <code>${edit.slug}</code>.</p>`);

  // Without the binding the site runs on its own, and there is no cache to tell.
  if (env.GATEWAY) {
    try {
      await env.GATEWAY.revalidateTag(`post:${edit.slug}`);
      if (saved.titleChanged) await env.GATEWAY.revalidateTag("posts");
    } catch (error) {
      console.error("revalidation failed", error);
      return problem(502, "Saved, but not revalidated", html`
<p>The edit itself was saved. The gateway could not be told of it, so visitors may see the old page until it expires:</p>
<pre>${error}</pre>
<p>Save again to retry.</p>`, edit);
    }
  }

  return new Response(null, { status: 303, headers: { location: `/blog/${edit.slug}`, ...noStore } });
}

/** @param {Edit} edit */
function check({ slug, title, body }) {
  const errors = [];
  if (!/^[a-z0-9-]{1,80}$/.test(slug)) errors.push("The slug is missing or not valid.");
  if (title === "") errors.push("The title is empty.");
  if ([...title].length > maxTitle) errors.push(`The title is longer than ${maxTitle} characters.`);
  if (body === "") errors.push("The text is empty.");
  if (new TextEncoder().encode(body).length > maxBody) errors.push(`The text is longer than ${maxBody} bytes.`);
  return errors;
}

/** @param {Edit} post */
function editForm({ slug, title, body }) {
  // The line break after <textarea> is not part of its value.
  return html`<form class="card" id="${slug}" method="post" action="/editor">
<h3><a href="/blog/${slug}">/blog/${slug}</a></h3>
<input type="hidden" name="slug" value="${slug}">
<label for="title-${slug}">Title</label>
<input id="title-${slug}" name="title" value="${title}" maxlength="${maxTitle}" required>
<label for="body-${slug}">Text</label>
<textarea id="body-${slug}" name="body" required>
${body}</textarea>
<button>Save and revalidate</button>
</form>
`;
}

/**
 * @param {number} status
 * @param {string} title
 * @param {import("./html.js").Html} detail
 * @param {Edit} [edit] to try again with
 */
function problem(status, title, detail, edit) {
  const main = html`
<h1>${title}</h1>
<div class="card alert">${detail}</div>
${edit ? editForm(edit) : html`<p><a href="/editor">Back to the editor</a></p>`}`;
  return htmlPage({ title, path: "/editor", main }, status, noStore);
}
