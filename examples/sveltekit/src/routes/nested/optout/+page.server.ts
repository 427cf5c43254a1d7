import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = ({ locals }) => {
  locals.isr.set({ revalidate: 0 });
  return { renderedAt: new Date().toISOString() };
};
