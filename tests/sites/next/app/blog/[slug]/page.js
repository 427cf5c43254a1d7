import { notFound } from "next/navigation";

import store from "../../store";

export const revalidate = 60;

export function generateStaticParams() {
  return [{ slug: "first" }];
}

export default async function Page({ params }) {
  const slug = decodeURIComponent((await params).slug);
  if (!(slug in store.titles)) notFound();
  return <h1>{store.titles[slug]}</h1>;
}
