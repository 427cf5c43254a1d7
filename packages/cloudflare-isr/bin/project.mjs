/** The files of a new project: a Worker with the cache, and an example site if there is no site yet. */

/** What both Workers are tried with; a later date may change the platform's behaviour. */
const COMPATIBILITY_DATE = "2026-11-01";

/**
 * Returns the text of each file by its path.
 * @param {object} options
 * @param {string} options.name the name of the Worker with the cache
 * @param {string | undefined} options.site the name of the site's Worker
 * @param {string | undefined} options.origin the site's URL
 * @param {string} options.spec what npm installs as cloudflare-isr
 * @returns {Record<string, string>}
 */
export function filesOf({ name, site, origin, spec }) {
  const isExample = site === undefined && origin === undefined;
  const service = isExample ? `${name}-site` : site;
  return {
    "package.json": manifest({ name, spec, isExample }),
    ".gitignore": "node_modules/\n.wrangler/\n.dev.vars*\n",
    "gateway/index.js": `export { default, IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";\n`,
    "gateway/wrangler.toml": gateway({ name, service, origin }),
    ...(isExample && { "site/index.js": SITE, "site/wrangler.toml": siteConfiguration({ name, service }) }),
  };
}

function manifest({ name, spec, isExample }) {
  const dev = isExample ? "wrangler dev -c gateway/wrangler.toml -c site/wrangler.toml" : "wrangler dev -c gateway/wrangler.toml";
  const deploy = "wrangler deploy -c gateway/wrangler.toml";
  const scripts = {
    dev,
    // Deploys the site first, because the gateway is bound to it.
    deploy: isExample ? `wrangler deploy -c site/wrangler.toml && ${deploy}` : deploy,
  };
  const dependencies = { "cloudflare-isr": spec };
  // wrangler requires this version.
  const engines = { node: ">=22.12" };
  const devDependencies = { wrangler: "^4.164.0" };
  return `${JSON.stringify({ name, private: true, type: "module", engines, scripts, dependencies, devDependencies }, null, 2)}\n`;
}

function gateway({ name, service, origin }) {
  const bound = service === undefined ? "" : `
# The site behind the cache.
[[services]]
binding = "ORIGIN"
service = "${service}"
`;
  const url = origin === undefined ? "" : `# The site behind the cache.\norigin = "${origin}"\n`;
  return `# The cache. Visitors reach this Worker: assign your domain to it.
name = "${name}"
main = "index.js"
compatibility_date = "${COMPATIBILITY_DATE}"
${bound}
# L2, the store for pages. The first deployment creates the namespace.
[[kv_namespaces]]
binding = "ISR_CACHE"

[[durable_objects.bindings]]
name = "COORDINATOR"
class_name = "IsrCoordinator"

[[durable_objects.bindings]]
name = "TAG_INDEX"
class_name = "IsrTagIndex"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["IsrCoordinator", "IsrTagIndex"]

# Which pages are cached, and for how many seconds they are fresh. All other requests pass to the site.
[vars.ISR]
${url}revalidate = 60

[vars.ISR.routes."/"]

[vars.ISR.routes."/blog/[slug]"]
revalidate = 300
tags = ["blog"]
`;
}

function siteConfiguration({ name, service }) {
  return `# The site. Visitors reach it only through the cache.
name = "${service}"
main = "index.js"
compatibility_date = "${COMPATIBILITY_DATE}"
workers_dev = false

# To invalidate pages after an edit: env.GATEWAY.revalidatePath("/blog/hello"), env.GATEWAY.revalidateTag("post:hello").
# Cloudflare rejects a binding to a Worker that does not exist: enable these lines after the gateway is deployed.
# [[services]]
# binding = "GATEWAY"
# service = "${name}"
`;
}

const SITE = `/** An example of a site. \`Cache-Tag\` names the content of a page, so that the page can be invalidated when the content changes. */
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    const now = new Date().toISOString();
    if (pathname === "/") return page(\`<h1>Home</h1><p>Rendered at \${now}. <a href="/blog/hello">A post</a></p>\`);
    const [, slug] = /^\\/blog\\/([a-z0-9-]+)$/.exec(pathname) ?? [];
    if (slug) return page(\`<h1>\${slug}</h1><p>Rendered at \${now}.</p>\`, { "cache-tag": \`post:\${slug}\` });
    return page("<h1>Not found</h1>", {}, 404);
  },
};

function page(body, headers = {}, status = 200) {
  const html = \`<!doctype html><meta charset="utf-8"><title>Example</title>\${body}\`;
  return new Response(html, { status, headers: { "content-type": "text/html; charset=utf-8", ...headers } });
}
`;
