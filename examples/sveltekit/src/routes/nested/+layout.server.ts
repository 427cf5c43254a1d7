import type { LayoutServerLoad } from "./$types";

export const load: LayoutServerLoad = ({ locals }) => {
  locals.isr.defaults({ revalidate: 300, tags: ["nested"] });
};
