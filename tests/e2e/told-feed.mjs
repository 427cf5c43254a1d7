/**
 * The gateway with a tag index that counts what edges ask it for, and that dies or is of an earlier version on demand:
 * `POST /tag-index` with `{ dies, isOld }` answers with the counts.
 */
import Gateway, { IsrCoordinator, IsrTagIndex as TagIndex } from "../../build/entry.js";

export { IsrCoordinator };

const counts = { polls: 0, streams: 0 };
let isOld = false;

export class IsrTagIndex extends TagIndex {
  async fetch(request) {
    if (new URL(request.url).pathname === "/die") this.ctx.abort("the object dies");
    // The name of a message is in its CBOR.
    const message = new TextDecoder("latin1").decode(await request.clone().arrayBuffer());
    if (message.includes("feed")) counts.polls++;
    if (message.includes("listen")) {
      counts.streams++;
      if (isOld) return new Response("not a message of this version", { status: 400 });
    }
    return super.fetch(request);
  }
}

export default class extends Gateway {
  async fetch(request) {
    if (request.method !== "POST" || new URL(request.url).pathname !== "/tag-index") return super.fetch(request);
    const told = await request.json();
    isOld = told.isOld ?? isOld;
    if (told.dies) await this.env.TAG_INDEX.getByName("tags#0").fetch("https://object/die").catch(() => {});
    return Response.json(counts);
  }
}
