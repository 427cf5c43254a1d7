// Inspects the heap of a Worker's isolate.

import { once } from "node:events";

/** No answer takes that long. */
const PATIENCE_MILLIS = 20_000;

/**
 * Collects a Worker's garbage, and returns how many bytes are left: objects of its JavaScript, those of the platform
 * that belong to them, and the contents of buffers. Wasm memory is not among them.
 *
 * @param {URL} inspector
 * @param {string} worker
 */
export async function heapBytes(inspector, worker) {
  const targets = await (await fetch(`http://${inspector.host}/json`)).json();
  const target = targets.find(({ id }) => id.endsWith(`:${worker}`));
  if (target === undefined) throw new Error(`the inspector knows no ${worker}, only ${targets.map(({ id }) => id).join(", ")}`);
  const session = await Session.open(target.webSocketDebuggerUrl);
  try {
    const context = session.event("Runtime.executionContextCreated");
    await session.call("Runtime.enable");
    const { uniqueId: uniqueContextId } = (await context).context;
    // The runtime never answers `HeapProfiler.collectGarbage`. To look for objects is to collect all garbage before, and
    // of this class there are none.
    for (let n = 0; n < 2; n++) {
      const { result } = await session.call("Runtime.evaluate", { expression: "FinalizationRegistry.prototype", uniqueContextId });
      await session.call("Runtime.queryObjects", { prototypeObjectId: result.objectId });
    }
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await session.call("Runtime.getHeapUsage");
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  } finally {
    session.close();
  }
}

class Session {
  #socket;
  #last = 0;

  static async open(url) {
    const socket = new WebSocket(url);
    await once(socket, "open", { signal: AbortSignal.timeout(PATIENCE_MILLIS) });
    return new Session(socket);
  }

  constructor(socket) {
    this.#socket = socket;
  }

  async call(method, params = {}) {
    const id = ++this.#last;
    const answer = this.#next(method, (message) => message.id === id);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  async event(method) {
    return (await this.#next(method, (message) => message.method === method)).params;
  }

  #next(method, isMeant) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: nothing came`)), PATIENCE_MILLIS);
      const listen = ({ data }) => {
        const message = JSON.parse(data);
        if (!isMeant(message)) return;
        clearTimeout(timer);
        this.#socket.removeEventListener("message", listen);
        resolve(message);
      };
      this.#socket.addEventListener("message", listen);
    });
  }

  close() {
    this.#socket.close();
  }
}
