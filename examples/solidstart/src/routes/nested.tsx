import type { RouteSectionProps } from "@solidjs/router";
import { isr } from "~/lib/isr";

export default function NestedLayout(props: RouteSectionProps) {
  // For each page in this layout, unless it says something else.
  isr()?.defaults({ revalidate: 300, tags: ["nested"] });
  return <>{props.children}</>;
}
