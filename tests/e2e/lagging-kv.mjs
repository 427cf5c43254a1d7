/**
 * A KV that shows writes late, as the platform's may: every read sees the state of a minute ago. New values, deletions
 * and missing values are all delayed. The tests do not wait for that minute; they advance the clock of this KV.
 */

import { host } from "./harness.mjs";

const name = "lagging-kv";

/** How far behind the colos see it. */
const lagSeconds = 60;

/**
 * The Worker that stands in front of the real KV, by RPC with the methods of a namespace. A binding says by its properties
 * how late it sees what is written.
 */
const script = `
import { WorkerEntrypoint } from "cloudflare:workers";

/** All that was ever written, by name and in order: { at, bytes }, where a deletion has no bytes. */
const writes = new Map();
let millisAhead = 0;
const now = () => Date.now() + millisAhead;

function note(name, bytes) {
  if (!writes.has(name)) writes.set(name, []);
  writes.get(name).push({ at: now(), bytes });
}

export class LaggingKv extends WorkerEntrypoint {
  get(name, { type }) {
    if (type !== "arrayBuffer") throw new TypeError("only buffers are given out here");
    const shown = (writes.get(name) ?? []).findLast(({ at }) => at <= now() - this.ctx.props.lagSeconds * 1000);
    return shown?.bytes?.buffer ?? null;
  }

  async put(name, value, options) {
    const bytes = new Uint8Array(value);
    await this.env.ISR_CACHE.put(name, bytes, options);
    note(name, bytes);
  }

  async delete(name) {
    await this.env.ISR_CACHE.delete(name);
    note(name);
  }
}

/** For the tests: puts the clock forward, and tells what was written under a name: texts, and null for a deletion. */
export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/later") millisAhead += 1000 * Number(searchParams.get("seconds"));
    const decode = (bytes) => bytes ? new TextDecoder().decode(bytes) : null;
    return Response.json((writes.get(searchParams.get("name")) ?? []).map(({ bytes }) => decode(bytes)));
  },
};
`;

/** The Worker, as Miniflare takes it. */
export const laggingKv = { name, modules: true, compatibilityDate: "2026-11-01", kvNamespaces: ["ISR_CACHE"], script };

const binding = (seconds) => ({
  kv: [],
  services: { ISR_CACHE: { name, entrypoint: "LaggingKv", props: { lagSeconds: seconds } } },
});

/** Options of a colo that sees the KV as it was a minute ago. */
export const late = binding(lagSeconds);

/** Options of a Worker whose writes go into this KV, and which sees them at once. */
export const atOnce = { ...binding(0), kvOwner: name };

/** Lets so much time pass for the KV that everything shows that was written so far. */
export async function showAll(isr) {
  await isr.ask(name, `/later?seconds=${lagSeconds + 1}`);
}

/** Lists what was ever written to KV for a page: texts, and null for a deletion. */
export async function written(isr, path) {
  return (await isr.ask(name, `/writes?name=${encodeURIComponent(`http://${host}${path}`)}`)).json;
}
