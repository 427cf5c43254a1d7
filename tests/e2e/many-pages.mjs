/**
 * The gateway with a Cache API that has any number of pages: `/lab/page-000000` is a real one, and those with other numbers are
 * made of it when they are read. `GET /many?from=…&to=…` requests each of these pages twice, and some of them once more. It counts
 * the HITs, and among the third requests those from memory.
 */
import { wasmBytes } from "../wasm-memory.mjs";
import Gateway from "../../build/entry.js";

export { IsrCoordinator, IsrTagIndex } from "../../build/entry.js";

/** How many pages are requested before the work behind their responses is waited for; the last of them is requested once more. */
const BATCH = 40;

const META = "x-isr-meta";
const REAL = "page-000000";

const nameOf = (number) => `page-${String(number).padStart(6, "0")}`;

/** The headers and the body of the real page. */
let real;

const { match } = Cache.prototype;
Cache.prototype.match = async function (request, options) {
  const name = /page-\d{6}/.exec(request)?.[0];
  if (real === undefined || name === undefined) {
    const found = await match.call(this, request, options);
    if (name === REAL && found) real = { headers: new Headers(found.headers), body: await found.clone().arrayBuffer() };
    return found;
  }
  const headers = new Headers(real.headers);
  headers.set(META, renamed(headers.get(META), name));
  return new Response(real.body.slice(), { headers });
};

/** Metadata is CBOR in base64url. The names are equally long, so that only their characters change. */
function renamed(meta, name) {
  const bytes = atob(meta.replaceAll("-", "+").replaceAll("_", "/"));
  return btoa(bytes.replaceAll(REAL, name)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export default class extends Gateway {
  async fetch(request) {
    const { pathname, searchParams, origin } = new URL(request.url);
    if (pathname === "/wasm-bytes") return new Response(String(wasmBytes()));
    if (pathname !== "/many") return super.fetch(request);
    const [from, to] = ["from", "to"].map((name) => Number(searchParams.get(name)));
    let [hits, thirds, remembered] = [0, 0, 0];
    const visit = async (number) => {
      const answer = await super.fetch(new Request(`${origin}/lab/${nameOf(number)}`));
      await answer.arrayBuffer();
      if (answer.headers.get("x-isr-status") === "HIT") hits += 1;
      return answer.headers.get("cache-status").includes("detail=memory");
    };
    for (let first = from; first < to; first += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, to - first) }, (_, n) => first + n);
      for (const number of [...numbers, ...numbers]) await visit(number);
      await scheduler.wait(1);
      thirds += 1;
      if (await visit(numbers.at(-1))) remembered += 1;
    }
    return Response.json({ hits, thirds, remembered });
  }
}
