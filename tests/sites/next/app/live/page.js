import store from "../store";

export const dynamic = "force-dynamic";

export default function Page() {
  return <p>{Object.keys(store.titles).length} posts</p>;
}
