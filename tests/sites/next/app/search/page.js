import store from "../store";

export default async function Page({ searchParams }) {
  const { q = "" } = await searchParams;
  const found = Object.entries(store.titles).filter(([, title]) => q && title.toLowerCase().includes(q.toLowerCase()));
  return (
    <main>
      <form>
        <input name="q" defaultValue={q} />
      </form>
      <ol>
        {found.map(([slug, title]) => (
          <li key={slug}>
            <a href={`/blog/${slug}`}>{title}</a>
          </li>
        ))}
      </ol>
    </main>
  );
}
