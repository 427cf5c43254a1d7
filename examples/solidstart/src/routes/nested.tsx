import type { RouteSectionProps } from "@solidjs/router";
import { isr } from "~/lib/isr";

export default function NestedLayout(props: RouteSectionProps) {
  // The defaults of all pages in this layout.
  isr()?.defaults({ revalidate: 300, tags: ["nested"] });
  return <>{props.children}</>;
}
