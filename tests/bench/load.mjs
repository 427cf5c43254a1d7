// The load generator: a number of connections, each with one request under way at any time. It runs in its own thread,
// and checks every response, because a benchmark of errors is worth nothing.

import { once } from "node:events";
import http from "node:http";
import { performance } from "node:perf_hooks";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

/**
 * @typedef {object} Job
 * @property {number} port
 * @property {string} host
 * @property {string} first Asked for once on each connection before the clock runs.
 * @property {string[]} paths Asked for in turn.
 * @property {number} connections
 * @property {number} [seconds] How long. Without it, each path is asked for once.
 * @property {number} [bytes] The expected length of each body.
 * @property {Record<string, string>} [asks] More headers of each request.
 * @property {number} [status] The expected status of each answer; 200 by default.
 * @property {Record<string, string>} [headers] What the headers of each answer are expected to be.
 */

/**
 * @typedef {object} Measured
 * @property {number} requests
 * @property {number} seconds
 * @property {Float64Array} latencies In milliseconds, from the request to the end of the body.
 */

/** The generator, seen from the main thread. */
export class Load {
  #thread = new Worker(new URL(import.meta.url));

  /**
   * @param {Job} job
   * @returns {Promise<Measured>}
   */
  async run(job) {
    this.#thread.postMessage(job);
    const [{ error, measured }] = await once(this.#thread, "message");
    if (error) throw new Error(error);
    return measured;
  }

  async stop() {
    await this.#thread.terminate();
  }
}

if (!isMainThread) {
  parentPort.on("message", async (job) => {
    try {
      const measured = await run(job);
      parentPort.postMessage({ measured }, [measured.latencies.buffer]);
    } catch (error) {
      parentPort.postMessage({ error: error.message });
    }
  });
}

async function run(job) {
  // The runtime closes a connection that has been idle for 5 s, so none is kept from one job to the next.
  const agent = new http.Agent({ keepAlive: true, maxSockets: job.connections });
  const options = { agent, host: "127.0.0.1", port: job.port, headers: { host: job.host } };
  const connections = Array.from({ length: job.connections });
  try {
    await Promise.all(connections.map(() => request({ ...options, path: job.first }, { host: job.host })));

    const headers = { ...options.headers, ...job.asks };
    const latencies = [];
    const begin = performance.now();
    const end = job.seconds === undefined ? Infinity : begin + job.seconds * 1000;
    let next = 0;
    const more = () => (job.seconds === undefined ? next < job.paths.length : performance.now() < end);
    const visitor = async () => {
      while (more()) {
        const path = job.paths[next++ % job.paths.length];
        const start = performance.now();
        await request({ ...options, path, headers }, job);
        latencies.push(performance.now() - start);
      }
    };
    await Promise.all(connections.map(visitor));
    const seconds = (performance.now() - begin) / 1000;
    return { requests: latencies.length, seconds, latencies: Float64Array.from(latencies) };
  } finally {
    agent.destroy();
  }
}

function request(options, expected) {
  return new Promise((resolve, reject) => {
    const fail = (what) => reject(new Error(`http://${expected.host}${options.path} on port ${options.port}: ${what}`));
    const sent = http.get(options, (response) => {
      let bytes = 0;
      response.on("data", (chunk) => (bytes += chunk.length));
      response.on("error", (error) => fail(error.message));
      response.on("end", () => {
        const wrong = difference(response, bytes, expected);
        if (wrong) fail(`${wrong}; its headers: ${JSON.stringify(response.headers)}`);
        else resolve();
      });
    });
    sent.on("error", (error) => fail(error.message));
  });
}

function difference(response, bytes, expected) {
  if (response.statusCode !== (expected.status ?? 200)) return `status ${response.statusCode}`;
  if (expected.bytes !== undefined && bytes !== expected.bytes) return `${bytes} bytes instead of ${expected.bytes}`;
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    if (response.headers[name] !== value) return `\`${name}\` is not "${value}"`;
  }
  return undefined;
}
