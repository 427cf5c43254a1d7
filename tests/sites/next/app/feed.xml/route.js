import store from "../store";

export const revalidate = 60;

export function GET() {
  const items = Object.entries(store.titles).map(([slug, title]) => `<item><title>${title}</title><link>http://site.test/blog/${encodeURIComponent(slug)}</link></item>`);
  return new Response(`<rss version="2.0"><channel><title>Lamps</title>${items.join("")}</channel></rss>`, { headers: { "content-type": "application/rss+xml; charset=utf-8" } });
}
