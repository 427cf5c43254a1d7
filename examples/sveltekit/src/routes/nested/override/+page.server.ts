import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = ({ locals }) => {
  locals.isr.set({ revalidate: 30, tags: ["override"] });
  return { renderedAt: new Date().toISOString() };
};
