import assert from "node:assert/strict";
import { test } from "node:test";

import { binding } from "./binding.mjs";
import { suite } from "./suite.mjs";

const data = (path) => `${path === "/" ? "" : path}/__data.json`;

suite("sveltekit", {
  data,
  more(example) {
    test("the data of a post that there is not is an answer of the site's own", async () => {
      for (let times = 0; times < 2; times++) {
        const answer = await example().fetch(data("/blog/no-such-post"));
        assert.deepEqual([answer.status, answer.isr], [200, "SKIP"]);
        assert.match(answer.text, /There is no such post/);
      }
    });
  },
});

binding("sveltekit", { data });
