/**
 * The gateway on the platform of the soak test: KV is the one of the test's process, and the objects fail on demand.
 *
 * `POST /soak-faults` with `{ coordinator, tagIndex }` makes the objects of this Worker throw, or never answer.
 */
import Gateway, { IsrCoordinator as Coordinator, IsrTagIndex as TagIndex } from "../../build/entry.js";

/** @type {{ coordinator?: "throws" | "hangs", tagIndex?: "throws" | "hangs" }} */
let faults = {};

/** The KV namespace over HTTP. */
function kv(address, isLate) {
  const url = (name) => `${address}/?name=${encodeURIComponent(name)}${isLate ? "&late" : ""}`;
  const checked = (response) => {
    if (!response.ok) throw new Error(`KV failed: ${response.status}`);
  };
  return {
    async get(name) {
      const response = await fetch(url(name));
      return response.status === 404 ? (await response.arrayBuffer(), null) : response.arrayBuffer();
    },
    put: async (name, value) => checked(await fetch(url(name), { method: "PUT", body: value })),
    delete: async (name) => checked(await fetch(url(name), { method: "DELETE" })),
  };
}

/** One object for each environment, because a Worker's is the same for all its requests. */
const environments = new WeakMap();

function withKv(env, isLate) {
  const known = environments.get(env)?.[isLate];
  if (known) return known;
  const made = { ...env, ISR_CACHE: kv(env.KV_ADDRESS, isLate) };
  environments.set(env, { ...environments.get(env), [isLate]: made });
  return made;
}

async function fail(fault) {
  if (fault === "throws") throw new Error("the object is in trouble");
  if (fault === "hangs") await scheduler.wait(600_000);
}

export class IsrCoordinator extends Coordinator {
  constructor(ctx, env) {
    super(ctx, withKv(env, false));
  }

  async fetch(request) {
    await fail(faults.coordinator);
    return super.fetch(request);
  }
}

export class IsrTagIndex extends TagIndex {
  async fetch(request) {
    await fail(faults.tagIndex);
    return super.fetch(request);
  }
}

export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, withKv(env, true));
  }

  async fetch(request) {
    if (request.method === "POST" && new URL(request.url).pathname === "/soak-faults") {
      faults = await request.json();
      return Response.json(faults);
    }
    return super.fetch(request);
  }
}
