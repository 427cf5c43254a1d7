export default function robots() {
  return { rules: { userAgent: "*", allow: "/" }, sitemap: "http://site.test/sitemap.xml" };
}
