// Sends messages to an object like an edge (`src/protocol/messages.rs`), and measures from within the runtime: the
// figures do not include the path in front of an edge.

import { encode } from "./cbor.mjs";

const MESSAGE = "https://object/v1/message";

/** Older than any version that a coordinator issues. */
const FIRST_VERSION = "0".repeat(26);

/**
 * @typedef {object} Job
 * @property {string} to The binding of the object's namespace.
 * @property {string} object The object's name.
 * @property {string} shard The shard's name.
 * @property {"miss" | "stale"} event
 * @property {string} key The page. With `distinct`, what the keys of the pages begin with.
 * @property {boolean} [distinct] Each event is for a page of its own.
 * @property {number} bytes The expected length of each body.
 * @property {number} connections How many events are under way at any time.
 * @property {number} [seconds] How long. Without it, `count` events.
 * @property {number} [count]
 */

/** The pages whose events need not wait any longer. */
const letGo = new Set();

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/go") {
      letGo.add(await request.text());
      return new Response();
    }
    const job = await request.json();
    const object = env[job.to].getByName(job.object);
    switch (pathname) {
      case "/send":
        return Response.json(await send(object, job));
      case "/park":
        return park(object, job, env);
      case "/copy":
        return copy(object, job, env);
      case "/call":
        return object.fetch(`https://object${job.path}`, { method: "POST", body: JSON.stringify(job.body ?? null) });
    }
  },
};

/** Sends events one after another on each connection. */
async function send(object, job) {
  const message = messages(job);
  const begin = Date.now();
  const end = job.seconds === undefined ? Infinity : begin + job.seconds * 1000;
  const most = job.count ?? Infinity;
  let [sent, requests] = [0, 0];
  const connection = async () => {
    while (sent < most && Date.now() < end) {
      sent++;
      await ask(object, message(), job);
      requests++;
    }
  };
  await Promise.all(Array.from({ length: job.connections }, connection));
  return { requests, seconds: (Date.now() - begin) / 1000 };
}

/**
 * Sends events that wait, and has them answered all at once. Writes a line when all of them wait, and is let go on by
 * `/go` if the job says so; the second line is the measurement.
 */
function park(object, job, env) {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  const line = (value) => writer.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  const run = async () => {
    const message = messages(job);
    const begin = Date.now();
    const answers = Array.from({ length: job.count }, () => ask(object, message(), job));
    // An object takes its events in order; a message takes one turn more than a path that it doesn't know.
    for (let n = 0; n < 3; n++) await (await object.fetch("https://object/ping")).arrayBuffer();
    const parking = Date.now() - begin;
    await line("parked");
    while (job.waits && !letGo.has(job.key)) await scheduler.wait(5);
    const released = Date.now();
    // Of the two, the one that it is not waits for nothing.
    await Promise.all([
      object.fetch("https://object/release", { method: "POST" }).then((response) => response.arrayBuffer()),
      env.SITE.fetch("https://site/release", { method: "POST", body: new URL(job.key).pathname }),
    ]);
    await Promise.all(answers);
    await line({ requests: job.count, seconds: (parking + Date.now() - released) / 1000 });
  };
  run()
    .catch((error) => line({ error: error.stack }))
    .finally(() => writer.close());
  return new Response(readable);
}

/** Asks one object, and has its answer given by another. */
async function copy(object, job, env) {
  const response = await post(object, messages(job)());
  const answer = { method: "POST", headers: { "x-headers": JSON.stringify([...response.headers]) }, body: await response.arrayBuffer() };
  return env[job.copyTo].getByName(job.object).fetch("https://object/answer", answer);
}

/** Returns a function that gives the next message. */
function messages({ event, shard, key, distinct }) {
  const about = { shard, newer_than: null, ...(event === "stale" && { version: FIRST_VERSION }) };
  const of = (name) => encode({ [event]: { ...about, key: name } });
  if (distinct) {
    let number = 0;
    return () => of(`${key}${number++}`);
  }
  const bytes = of(key);
  return () => bytes;
}

async function ask(object, message, job) {
  const response = await post(object, message);
  const { byteLength } = await response.arrayBuffer();
  if (byteLength !== job.bytes) {
    const verdict = response.headers.get("x-isr-verdict") ?? "";
    throw new Error(`${job.to} answers an event with ${byteLength} bytes instead of ${job.bytes}; its verdict: ${read(verdict)}`);
  }
}

async function post(object, body) {
  const response = await object.fetch(MESSAGE, { method: "POST", body });
  if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
  return response;
}

/** The words in a verdict, for people. */
function read(verdict) {
  return atob(verdict.replaceAll("-", "+").replaceAll("_", "/")).replaceAll(/[^\w .-]+/g, " ");
}
