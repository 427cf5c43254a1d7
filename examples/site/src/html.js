/** Text that is HTML already. Everything else is escaped by {@link html}. */
export class Html {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}

const entities = /** @type {Record<string, string>} */ ({
  "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;",
});

/** @param {unknown} value */
export function escape(value) {
  return String(value).replace(/[&<>"']/g, (character) => entities[character]);
}

/**
 * A template tag: values are escaped, nested `html` and arrays of it are not;
 * null, undefined and false leave nothing.
 *
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export function html(strings, ...values) {
  return new Html(strings.reduce((text, string, i) => text + toHtml(values[i - 1]) + string));
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function toHtml(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(toHtml).join("");
  if (value === null || value === undefined || value === false) return "";
  return escape(value);
}

/**
 * One render of a page.
 * @typedef {object} Rendered
 * @property {string} path
 * @property {number} count how often the path has been rendered, this time included
 * @property {string} at ISO time
 */

const nav = [
  ["/", "Home"],
  ["/article", "Article"],
  ["/cookie", "Cookie"],
  ["/private", "Private"],
  ["/lab", "Lab"],
  ["/editor", "Editor"],
];

/**
 * The frame of every page.
 *
 * @param {object} page
 * @param {string} page.title
 * @param {string} page.path the page's own path, to mark it in the navigation
 * @param {Html} page.main
 * @param {Rendered} [page.rendered] absent for the answer to a form, which is not a counted render
 * @returns {string}
 */
export function layout({ title, path, main, rendered }) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Skerry Point</title>
<link rel="icon" type="image/png" href="/logo.png">
<style>${styles}</style>
</head>
<body>
<header>
<a class="brand" href="/"><img src="/logo.png" alt="" width="36" height="36">Skerry Point</a>
<nav>${nav.map(([href, label]) => html`<a href="${href}"${href === path && html` aria-current="page"`}>${label}</a>`)}</nav>
</header>
<main>
${main}
</main>
<footer>
${rendered
    ? html`<p>Rendered <time datetime="${rendered.at}">${rendered.at}</time></p>
<p>Render <strong>no. ${rendered.count}</strong> of <code>${rendered.path}</code></p>`
    : html`<p>The answer to a form; not counted as a render.</p>`}
</footer>
</body>
</html>
`.text;
}

const styles = new Html(`
:root{--bg:#fbfaf7;--card:#fff;--text:#1d2a33;--soft:#5a6a75;--line:#e2ddd2;--link:#1f5f86;--mark:#d1495b;--lamp:#f6c453}
@media (prefers-color-scheme:dark){:root{--bg:#0f1a22;--card:#162530;--text:#e4eaee;--soft:#9aabb7;--line:#263945;--link:#8ec7ea;--mark:#f0808e}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:17px/1.65 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer{max-width:46rem;margin:0 auto;padding:0 1.25rem}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;justify-content:space-between;padding-block:1.25rem;border-bottom:1px solid var(--line)}
.brand{display:flex;gap:.6rem;align-items:center;color:var(--text);font-weight:700;font-size:1.1rem;text-decoration:none}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem;font-size:.93rem}
nav a{color:var(--soft);text-decoration:none;padding:.15rem 0;border-bottom:2px solid transparent}
nav a:hover{color:var(--text)}
nav a[aria-current]{color:var(--text);border-color:var(--lamp)}
main{padding-block:1.5rem 2.5rem}
h1{font-size:clamp(1.7rem,5vw,2.3rem);line-height:1.2;letter-spacing:-.02em;margin:.75rem 0 1rem;text-wrap:balance}
h2{font-size:1.25rem;margin:2.25rem 0 .75rem}
h3{font-size:1.08rem;margin:0 0 .25rem}
a{color:var(--link);text-underline-offset:.15em}
.lead{font-size:1.12rem;color:var(--soft)}
.soft,.date{color:var(--soft);font-size:.9rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1rem 1.25rem;margin:0 0 1rem}
.card p{margin:.25rem 0}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.75rem}
.grid .card{margin:0;font-size:.92rem;line-height:1.5}
.pairs{grid-template-columns:1fr 1fr;gap:0 .75rem}
code,pre{font:.9em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.75rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}
.alert{border-left:4px solid var(--mark)}
label{display:block;font-size:.88rem;font-weight:600;margin:.75rem 0 .25rem}
input,textarea,select{width:100%;font:inherit;font-size:1rem;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:8px;padding:.5rem .7rem}
textarea{min-height:9rem;resize:vertical;line-height:1.5}
button{font:inherit;font-weight:600;color:#fff;background:#1f5f86;border:0;border-radius:8px;padding:.5rem 1.1rem;margin-top:.9rem;cursor:pointer}
button.quiet{background:none;color:var(--mark);padding:.2rem .4rem;margin:0}
footer{border-top:1px solid var(--line);padding-block:1rem 2rem;color:var(--soft);font-size:.88rem;display:flex;flex-wrap:wrap;gap:.25rem 2rem;justify-content:space-between}
footer p{margin:0}
footer strong{color:var(--text)}
`);
