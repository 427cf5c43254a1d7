export default defineEventHandler((event) => useEnv(event).POSTS.list());
