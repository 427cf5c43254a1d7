import { layout } from "./html.js";

/** @typedef {import("./html.js").Rendered} Rendered */

/**
 * Counts a render of the requested path.
 * @param {import("./index.js").Context} context
 * @returns {Promise<Rendered>}
 */
export async function render({ store, url }) {
  const count = await store.countRender(url.pathname);
  return { path: url.pathname, count, at: new Date().toISOString() };
}

/**
 * The headers that say which render an answer comes from.
 * @param {Rendered} rendered
 */
export function renderHeaders({ count, at }) {
  return { "x-render-count": String(count), "x-rendered-at": at };
}

/**
 * A page in the site's layout.
 *
 * @param {{title: string, path: string, main: import("./html.js").Html, rendered?: Rendered}} page
 * @param {number} [status]
 * @param {Record<string, string>} [headers]
 */
export function htmlPage(page, status = 200, headers = {}) {
  return new Response(layout(page), {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      ...(page.rendered && renderHeaders(page.rendered)),
      ...headers,
    },
  });
}

/**
 * @param {unknown} value
 * @param {number} [status]
 * @param {Record<string, string>} [headers]
 */
export function json(value, status = 200, headers = {}) {
  return new Response(`${JSON.stringify(value, null, 2)}\n`, {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
  });
}

/** Pages that show the store as it is, or that change it. */
export const noStore = { "cache-control": "no-store" };

/**
 * Reads a request's body, but not more than `limit` bytes of it.
 * @param {Request} request
 * @param {number} limit
 * @returns {Promise<Uint8Array<ArrayBuffer> | null>} null if there is more
 */
export async function readBody(request, limit) {
  if (!request.body || Number(request.headers.get("content-length")) > limit) {
    return request.body ? null : new Uint8Array();
  }
  const chunks = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.length;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/**
 * Reads a submitted form.
 * @param {Request} request
 * @param {number} limit
 * @returns {Promise<{form: FormData} | {status: number, error: string}>}
 */
export async function readForm(request, limit) {
  const body = await readBody(request, limit);
  if (!body) return { status: 413, error: `The form is larger than ${limit} bytes.` };
  try {
    const headers = { "content-type": request.headers.get("content-type") ?? "" };
    return { form: await new Response(body, { headers }).formData() };
  } catch {
    return { status: 400, error: "The request's body is not a form." };
  }
}

/**
 * A text field of a form, with the line ends that the site uses.
 * @param {FormData} form
 * @param {string} name
 */
export function field(form, name) {
  const value = form.get(name);
  return typeof value === "string" ? value.replace(/\r\n?/g, "\n").trim() : "";
}
