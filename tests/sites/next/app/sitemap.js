export default function sitemap() {
  return ["", "blog/first", "blog/second", "guestbook"].map((path) => ({ url: `http://site.test/${path}` }));
}
