import { createAsync } from "@solidjs/router";
import { Rendered } from "~/components/Rendered";
import { isr } from "~/lib/isr";
import { getRenderedAt } from "~/lib/posts";

export default function OptOut() {
  isr()?.set({ revalidate: 0 });
  const renderedAt = createAsync(() => getRenderedAt("/nested/optout"));
  return (
    <main data-page="optout">
      <h1>A page that is rendered for everybody anew</h1>
      <Rendered at={renderedAt()} />
    </main>
  );
}
