export default defineEventHandler((event) => {
  // A page that contains these posts carries the tag, too.
  event.context.isr.set({ tags: ["posts"] });
  return useEnv(event).POSTS.list();
});
