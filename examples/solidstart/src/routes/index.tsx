import { A, createAsync } from "@solidjs/router";
import { For } from "solid-js";
import { Rendered } from "~/components/Rendered";
import { listPosts } from "~/lib/posts";

export const route = { preload: () => listPosts() };

export default function Home() {
  const data = createAsync(() => listPosts());
  return (
    <main data-page="home">
      <h1>Posts</h1>
      <Rendered at={data()?.renderedAt} />
      <ul>
        <For each={data()?.posts}>
          {(post) => (
            <li>
              <A href={`/blog/${post.slug}`}>{post.title}</A>
            </li>
          )}
        </For>
      </ul>
    </main>
  );
}
