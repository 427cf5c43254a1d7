import { createAsync } from "@solidjs/router";
import { Rendered } from "~/components/Rendered";
import { isr } from "~/lib/isr";
import { getRenderedAt } from "~/lib/posts";

export default function Override() {
  isr()?.set({ revalidate: 30, tags: ["override"] });
  const renderedAt = createAsync(() => getRenderedAt("/nested/override"));
  return (
    <main data-page="override">
      <h1>A page that overrides them</h1>
      <Rendered at={renderedAt()} />
    </main>
  );
}
