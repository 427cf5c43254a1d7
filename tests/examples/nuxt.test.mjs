import { suite } from "./suite.mjs";

suite("nuxt", {
  data: (path) => `${path === "/" ? "" : path}/_payload.json`,
  // The payload lies below its page.
  invalidation: (path) => ({ prefix: path }),
});
