import { binding } from "./binding.mjs";
import { suite } from "./suite.mjs";

const data = (path) => `${path === "/" ? "" : path}/_payload.json`;

suite("nuxt", { data });
binding("nuxt", { data });
