import { createAsync } from "@solidjs/router";
import { Rendered } from "~/components/Rendered";
import { getRenderedAt } from "~/lib/posts";

/** Says nothing of its own: what the layout says is what counts. */
export default function Nested() {
  const renderedAt = createAsync(() => getRenderedAt("/nested"));
  return (
    <main data-page="nested">
      <h1>A page with its layout's defaults</h1>
      <Rendered at={renderedAt()} />
    </main>
  );
}
