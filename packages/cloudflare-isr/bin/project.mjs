/** The files of a new project: a Worker with the cache, and where there is no site yet, an example of one. */

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
    // The site first: the gateway is bound to it, and it is not to be called before.
    deploy: isExample ? `wrangler deploy -c site/wrangler.toml && ${deploy}` : deploy,
  };
  const dependencies = { "cloudflare-isr": spec };
  // What wrangler asks for.
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
  return `# The cache: the Worker that visitors reach. Point the domain at this one.
name = "${name}"
main = "index.js"
compatibility_date = "${COMPATIBILITY_DATE}"
${bound}
# Where pages are kept. The namespace is made by the first deployment.
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

# Which pages are cached, and for how many seconds they are fresh. Everything that is not listed passes to the site.
[vars.ISR]
${url}revalidate = 60

[vars.ISR.routes."/"]

[vars.ISR.routes."/blog/[slug]"]
revalidate = 300
tags = ["blog"]
`;
}

function siteConfiguration({ name, service }) {
  return `# The site: it is reached through the cache alone.
name = "${service}"
main = "index.js"
compatibility_date = "${COMPATIBILITY_DATE}"
workers_dev = false

# To invalidate pages after an edit: env.GATEWAY.revalidatePath("/blog/hello"), env.GATEWAY.revalidateTag("post:hello").
# On Cloudflare a Worker can be bound only to one that is there: take these lines in once the gateway is deployed.
# [[services]]
# binding = "GATEWAY"
# service = "${name}"
`;
}

const SITE = `/** An example of a site. \`Cache-Tag\` names what a page shows, so that it can be invalidated by that. */
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
