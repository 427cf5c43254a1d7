import { createAsync, revalidate, useParams, type RouteDefinition } from "@solidjs/router";
import { HttpStatusCode } from "@solidjs/start";
import { Show } from "solid-js";
import { Rendered } from "~/components/Rendered";
import { getPost } from "~/lib/posts";

export const route = { preload: ({ params }) => getPost(params.slug!) } satisfies RouteDefinition;

export default function BlogPost() {
  const params = useParams();
  const data = createAsync(() => getPost(params.slug!));

  async function save(event: SubmitEvent & { currentTarget: HTMLFormElement }) {
    event.preventDefault();
    const edit = Object.fromEntries(new FormData(event.currentTarget));
    const response = await fetch("/api/edit", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ slug: params.slug, ...edit }),
    });
    if (!response.ok) throw new Error(await response.text());
    // Load the new post, as every visitor receives it now.
    await revalidate(getPost.keyFor(params.slug!));
  }

  return (
    <Show when={data()}>
      {(data) => (
        <Show when={data().post} fallback={<NotFound />}>
          {(post) => (
            <main data-page="post">
              <h1>{post().title}</h1>
              <Rendered at={data().renderedAt} />
              <p>{post().text}</p>
              <form onSubmit={save}>
                <label>
                  Title <input name="title" required value={post().title} />
                </label>
                <label>
                  Text <textarea name="text" required value={post().text} />
                </label>
                <button>Save</button>
              </form>
            </main>
          )}
        </Show>
      )}
    </Show>
  );
}

function NotFound() {
  return (
    <main>
      <HttpStatusCode code={404} />
      <h1>There is no such post</h1>
    </main>
  );
}
