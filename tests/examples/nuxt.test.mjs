import { suite } from "./suite.mjs";

suite("nuxt", { data: (path) => `${path === "/" ? "" : path}/_payload.json` });
