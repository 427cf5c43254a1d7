import { suite } from "./suite.mjs";

suite("sveltekit", { data: (path) => `${path === "/" ? "" : path}/__data.json` });
