import { html, layout } from "./html.js";
import { field, htmlPage, json, noStore, readBody, readForm, render, renderHeaders } from "./respond.js";

/**
 * Pages that are slow or fail on demand, to watch how the cache copes.
 *
 * @typedef {object} Behaviour How a lab page answers; {} is a plain page.
 * @property {number} [delay_ms] wait before answering
 * @property {number} [status]
 * @property {string} [body] instead of the page in the site's layout
 * @property {number} [bytes] instead of it: a body of so many bytes
 * @property {Record<string, string | string[]>} [headers] a list sends the header as often as it has entries
 * @property {number} [chunks] stream the body in so many pieces
 * @property {number} [chunk_delay_ms] wait between two pieces
 * @property {boolean} [announce] say in Content-Length how long the body is
 * @property {"throw" | "break"} [fail] throw an exception instead of answering, or break off in the middle of the body
 *
 * @typedef {import("./index.js").Context} Context
 */

const maxBody = 1024 * 1024;
const maxBytes = 64 * maxBody;
const maxRequest = 2 * maxBody;
const nullBodyStatus = [204, 205, 304];

/** @param {Context} context */
export async function lab({ store, url, param: name }) {
  const { count, behaviour } = await store.enterLab(name, url.pathname);
  const { delay_ms = 0, status = 200, headers = {}, bytes, chunks, chunk_delay_ms = 0, announce, fail } = behaviour;

  if (delay_ms > 0) await scheduler.wait(delay_ms);
  if (fail === "throw") throw new Error(`/lab/${name} was told to throw`);

  const rendered = { path: url.pathname, count, at: new Date().toISOString() };
  const text = () => new TextEncoder().encode(behaviour.body ?? labPage(name, behaviour, rendered).toString());
  const body = bytes === undefined ? text() : numbered(bytes);
  const finish = () => store.finishLab(name);
  const isStreamed = chunks !== undefined || fail === "break";
  const response = new Response(
    nullBodyStatus.includes(status) ? null
      : isStreamed ? streamed(body, chunks ?? 2, chunk_delay_ms, fail === "break", finish)
        : body,
    { status, headers: { "content-type": "text/html; charset=utf-8", ...renderHeaders(rendered) } },
  );
  if (!isStreamed) await finish();
  if (announce) response.headers.set("content-length", String(body.length));
  for (const [header, value] of Object.entries(headers)) {
    response.headers.delete(header);
    for (const one of [value].flat()) response.headers.append(header, one);
  }
  return response;
}

/** @param {Context} context */
export async function labSet({ request, store, param: name }) {
  const bytes = await readBody(request, maxRequest);
  if (!bytes) return json({ errors: [`the request is larger than ${maxRequest} bytes`] }, 413, noStore);
  let input;
  try {
    input = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    return json({ errors: [`not JSON: ${/** @type {Error} */ (error).message}`] }, 400, noStore);
  }
  const errors = check(input);
  if (errors.length > 0) return json({ errors }, 400, noStore);
  await store.setLab(name, input);
  return json({ name, behaviour: input }, 200, noStore);
}

/** @param {Context} context */
export async function labReset({ store, param: name }) {
  await store.resetLab(name);
  return json({ name, behaviour: {} }, 200, noStore);
}

/** @param {Context} context */
export async function labStats({ store, param: name }) {
  return json({ name, ...(await store.labStats(name, `/lab/${name}`)) }, 200, noStore);
}

/** @param {Context} context */
export async function labPanel(context) {
  const [rendered, names] = await Promise.all([render(context), context.store.listLabs()]);
  const main = html`
<h1>The lab</h1>
<p class="lead">Tell <code>/lab/&lt;name&gt;</code> to be slow, to answer with an error or to break off, and watch what
visitors get to see. Any name will do.</p>
${names.length > 0 && html`<h2>Set up now</h2>
${names.map((name) => html`<form class="card" method="post" action="/lab">
<input type="hidden" name="name" value="${name}"><input type="hidden" name="action" value="reset">
<a href="/lab/${name}">/lab/${name}</a> · <a href="/lab-stats/${name}">statistics</a> · <button class="quiet">Reset</button>
</form>`)}`}
<h2>Set up a page</h2>
<form class="card" method="post" action="/lab">
<label for="name">Name</label><input id="name" name="name" required pattern="[A-Za-z0-9_.\\-]{1,64}" placeholder="slow">
<div class="grid pairs">
${numberField("delay_ms", "Delay, ms")}
${numberField("status", "Status", "200")}
${numberField("bytes", "Length of the body, bytes", "as it comes")}
${numberField("chunks", "Pieces of the body", "1")}
${numberField("chunk_delay_ms", "Delay between them, ms")}
</div>
<label for="fail">Failure</label>
<select id="fail" name="fail"><option value="">none</option><option value="throw">throw an exception</option>
<option value="break">break off in the middle of the body</option></select>
<label for="headers">Headers, one a line</label>
<textarea id="headers" name="headers" style="min-height:4.5rem" placeholder="Cache-Control: s-maxage=5"></textarea>
<label for="body">Body (empty: a page like this one)</label>
<textarea id="body" name="body" style="min-height:4.5rem"></textarea>
<button>Set</button>
</form>
<p class="soft">The same with curl:</p>
<pre>curl -X POST ${context.url.origin}/lab/slow -d '{"delay_ms": 3000}'
curl -X DELETE ${context.url.origin}/lab/slow</pre>`;
  return htmlPage({ title: "Lab", path: "/lab", main, rendered }, 200, noStore);
}

/** @param {Context} context */
export async function labPanelSubmit({ request, store }) {
  const read = await readForm(request, maxRequest);
  if ("error" in read) return labProblem(read.status, [read.error]);
  const { form } = read;

  const name = field(form, "name");
  if (!/^[\w.-]{1,64}$/.test(name)) return labProblem(400, ["name must be 1 to 64 letters, digits, dots, dashes or underscores"]);
  if (field(form, "action") === "reset") {
    await store.resetLab(name);
  } else {
    /** @type {Record<string, any>} */
    const behaviour = {};
    for (const key of ["delay_ms", "status", "bytes", "chunks", "chunk_delay_ms"]) {
      if (field(form, key) !== "") behaviour[key] = Number(field(form, key));
    }
    for (const key of ["body", "fail"]) {
      if (field(form, key) !== "") behaviour[key] = field(form, key);
    }
    if (field(form, "headers") !== "") behaviour.headers = parseHeaders(field(form, "headers"));
    const errors = check(behaviour);
    if (errors.length > 0) return labProblem(400, errors);
    await store.setLab(name, behaviour);
  }
  return new Response(null, { status: 303, headers: { location: "/lab", ...noStore } });
}

/**
 * What is wrong with a behaviour that somebody asked for.
 * @param {any} input
 * @returns {string[]}
 */
function check(input) {
  if (!isPlainObject(input)) return ["a JSON object is expected"];
  /** @type {string[]} */
  const errors = [];
  /** @param {string} key @param {number} min @param {number} max */
  const integer = (key, min, max) => {
    const value = input[key];
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
    errors.push(`${key} must be an integer from ${min} to ${max}`);
  };

  const known = ["delay_ms", "status", "body", "bytes", "headers", "chunks", "chunk_delay_ms", "announce", "fail"];
  for (const key of Object.keys(input)) {
    if (!known.includes(key)) errors.push(`${JSON.stringify(key)} is not known; known are ${known.join(", ")}`);
  }
  integer("delay_ms", 0, 60_000);
  integer("status", 200, 599);
  integer("bytes", 0, maxBytes);
  integer("chunks", 1, 1000);
  integer("chunk_delay_ms", 0, 10_000);

  const { body, bytes, headers, announce, fail, status, chunk_delay_ms, chunks } = input;
  if (body !== undefined && (typeof body !== "string" || new TextEncoder().encode(body).length > maxBody)) {
    errors.push(`body must be a string of at most ${maxBody} bytes`);
  }
  if (body !== undefined && bytes !== undefined) errors.push("body and bytes don't go together");
  if (announce !== undefined && typeof announce !== "boolean") errors.push("announce must be true or false");
  if (fail !== undefined && fail !== "throw" && fail !== "break") errors.push('fail must be "throw" or "break"');
  if (nullBodyStatus.includes(status) && (body || bytes || chunks !== undefined || announce || fail === "break")) {
    errors.push(`an answer with status ${status} has no body, so body, bytes, chunks, announce and "break" make no sense`);
  }
  if (chunk_delay_ms !== undefined && chunks === undefined) errors.push("chunk_delay_ms needs chunks");
  if (headers !== undefined) errors.push(...checkHeaders(headers));
  return errors;
}

const reservedHeaders = ["x-render-count", "x-rendered-at", "content-length", "transfer-encoding", "connection"];

/**
 * @param {any} headers
 * @returns {string[]}
 */
function checkHeaders(headers) {
  if (!isPlainObject(headers) || Object.keys(headers).length > 64) return ["headers must be an object with at most 64 entries"];
  return Object.entries(headers).flatMap(([name, value]) => {
    const shown = JSON.stringify(name);
    if (reservedHeaders.includes(name.toLowerCase())) return [`the header ${shown} can't be set here`];
    return [value].flat().flatMap((one) => {
      if (typeof one !== "string" || one.length > 16_384) return [`the header ${shown} must be a string of at most 16384 characters, or a list of such strings`];
      try {
        new Headers([[name, one]]);
        return [];
      } catch {
        return [`the header ${shown} has a name or value that HTTP doesn't allow`];
      }
    });
  });
}

/**
 * "Name: value" lines, as the form sends them. A line without a colon becomes a
 * name that isn't allowed, and {@link checkHeaders} refuses it.
 * @param {string} text
 */
function parseHeaders(text) {
  /** @type {Map<string, string[]>} */
  const headers = new Map();
  for (const line of text.split("\n").filter((line) => line.trim() !== "")) {
    const [, name, value] = /^([^:]*):(.*)$/.exec(line) ?? [line, `no colon in: ${line}`, ""];
    headers.set(name.trim(), [...(headers.get(name.trim()) ?? []), value.trim()]);
  }
  return Object.fromEntries(headers);
}

/**
 * A body of exactly so many bytes, in lines of 16 that say how many bytes stand before them.
 * @param {number} length
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function numbered(length) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 16) {
    for (let i = 0, rest = at; i < 15; i += 1, rest = Math.floor(rest / 10)) bytes[at + 14 - i] = 48 + (rest % 10);
    bytes[at + 15] = 10;
  }
  return bytes;
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {number} wanted how many chunks; fewer if there are fewer bytes
 * @param {number} delay between two chunks
 * @param {boolean} breaks whether the stream fails after half of the chunks
 * @param {() => Promise<void>} finish what to do when all of it has been sent
 * @returns {ReadableStream<Uint8Array>}
 */
function streamed(bytes, wanted, delay, breaks, finish) {
  const chunks = Math.min(Math.max(wanted, breaks ? 2 : 1), bytes.length);
  const end = breaks ? Math.ceil(chunks / 2) : chunks;
  let next = 0;
  return new ReadableStream({
    async pull(controller) {
      if (next > 0 && next < chunks) await scheduler.wait(delay);
      if (next < end) {
        const [from, to] = [next, next + 1].map((i) => Math.floor((bytes.length * i) / chunks));
        next += 1;
        controller.enqueue(bytes.slice(from, to));
      } else if (breaks) {
        controller.error(new Error("the lab page was told to break off"));
      } else {
        await finish();
        controller.close();
      }
    },
    // Nothing is made ahead of its reader: an error would drop what is still queued.
  }, { highWaterMark: 0 });
}

/**
 * @param {string} name
 * @param {Behaviour} behaviour
 * @param {import("./html.js").Rendered} rendered
 */
function labPage(name, behaviour, rendered) {
  const main = html`
<h1>Lab page ${name}</h1>
<p class="lead">This page behaves as it was told to:</p>
<pre>${JSON.stringify(behaviour, null, 2)}</pre>
<p><a href="/lab-stats/${name}">Statistics</a> · <a href="/lab">Control panel</a></p>`;
  return layout({ title: `Lab: ${name}`, path: rendered.path, main, rendered });
}

/**
 * @param {number} status
 * @param {string[]} errors
 */
function labProblem(status, errors) {
  const main = html`
<h1>Not set</h1>
<div class="card alert"><ul>${errors.map((error) => html`<li>${error}</li>`)}</ul></div>
<p><a href="/lab">Back to the lab</a></p>`;
  return htmlPage({ title: "Not set", path: "/lab", main }, status, noStore);
}

/** @param {string} name @param {string} label @param {string} [placeholder] */
function numberField(name, label, placeholder = "0") {
  return html`<div><label for="${name}">${label}</label><input id="${name}" name="${name}" type="number" min="0" placeholder="${placeholder}"></div>`;
}

/** @param {any} value */
function isPlainObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
