/** GET and HEAD with a body, or with an announced empty one: the origin answers as it answers a client. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { start } from "../harness.mjs";
import { gatewayFor, originOf } from "./origin.mjs";

const gateways = {};
let origin;

/** The same origin as a Worker. */
const worker = {
  name: "echo-site",
  modules: [{
    type: "ESModule",
    path: "echo.mjs",
    contents: `export default {
      async fetch(request) {
        return new Response(request.method + " " + new URL(request.url).pathname + " " + await request.text());
      },
    }`,
  }],
  compatibilityDate: "2026-01-01",
};

before(async () => {
  origin = await originOf(({ method, url, body }, response) => response.end(`${method} ${url} ${body}`));
  const routes = { "/routed/*": {} };
  gateways.URL = await gatewayFor(origin, { routes });
  gateways.binding = await start({ origin: worker.name, workers: [worker], isr: { routes } });
});

const requests = {
  "GET with `Content-Length: 0`": { method: "GET", headers: { "content-length": "0" } },
  "HEAD with `Content-Length: 0`": { method: "HEAD", headers: { "content-length": "0" } },
  "GET with two bytes": { method: "GET", headers: { "content-length": "2" }, body: "{}" },
  "GET with a body of unknown length": { method: "GET", headers: { "transfer-encoding": "chunked" }, body: "{}" },
  "HEAD with two bytes": { method: "HEAD", headers: { "content-length": "2" }, body: "{}" },
  "POST with `Content-Length: 0`": { method: "POST", headers: { "content-length": "0" } },
  "DELETE with two bytes": { method: "DELETE", headers: { "content-length": "2" }, body: "{}" },
  "OPTIONS with two bytes": { method: "OPTIONS", headers: { "content-length": "2" }, body: "{}" },
};

for (const kind of ["URL", "binding"]) {
  for (const folder of ["routed", "unrouted"]) {
    for (const [name, init] of Object.entries(requests)) {
      // The platform's fetch() sends no body of unknown length with a GET.
      if (kind === "URL" && "transfer-encoding" in init.headers) continue;
      test(`by ${kind}, ${folder}: ${name}`, async () => {
        const path = `/${folder}/${name.replaceAll(/\W+/g, "-")}`;
        for (let n = 0; n < 2; n += 1) {
          const answer = await gateways[kind].fetch(path, init);
          const text = init.method === "HEAD" ? "" : `${init.method} ${path} ${init.body ?? ""}`;
          assert.deepEqual([answer.status, answer.text], [200, text]);
        }
      });
    }
  }

  test(`by ${kind}: a stored page is no answer to a GET with a body, and the answer to that is not stored`, async () => {
    const path = `/routed/search-by-${kind}`;
    const search = (body) => ({ headers: { "content-length": String(body.length) }, body });
    assert.equal((await gateways[kind].fetch(path, search("lamp"))).text, `GET ${path} lamp`);
    const [miss, hit] = [await gateways[kind].fetch(path), await gateways[kind].fetch(path)];
    assert.deepEqual([miss.isr, hit.isr, hit.text], ["MISS", "HIT", `GET ${path} `]);
    assert.equal((await gateways[kind].fetch(path, search("table"))).text, `GET ${path} table`);
    const empty = await gateways[kind].fetch(path, { headers: { "content-length": "0" } });
    assert.deepEqual([empty.isr, empty.text], ["HIT", `GET ${path} `]);
  });
}

test("by URL, the origin receives the body of a GET", async () => {
  await gateways.URL.fetch("/unrouted/received", requests["GET with two bytes"]);
  assert.deepEqual(origin.arrived("/unrouted/received").map(({ method, body }) => [method, body]), [["GET", "{}"]]);
});
