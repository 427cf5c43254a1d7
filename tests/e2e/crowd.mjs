/** The gateway, with a count of its calls of coordinators. `GET /coordinator-calls` returns and resets it. */
import Gateway from "../../build/entry.js";

export * from "../../build/entry.js";

let calls = 0;

/** Returns a namespace whose objects count the requests to them. */
function counting(namespace) {
  const inFront = (target, get) => new Proxy(target, { get });
  return inFront(namespace, (target, name) => {
    const value = target[name];
    if (typeof value !== "function") return value;
    if (name !== "getByName" && name !== "get") return value.bind(target);
    return (...args) => {
      const stub = target[name](...args);
      return inFront(stub, (object, method) => {
        if (method !== "fetch") return object[method];
        return (...request) => {
          calls += 1;
          return object.fetch(...request);
        };
      });
    };
  });
}

/** The platform hands out one `env` to all requests of an isolate; so does this module. */
let counted;

export default class extends Gateway {
  constructor(ctx, env) {
    super(ctx, (counted ??= { ...env, COORDINATOR: counting(env.COORDINATOR) }));
  }

  async fetch(request) {
    if (new URL(request.url).pathname !== "/coordinator-calls") return super.fetch(request);
    const answer = Response.json(calls);
    calls = 0;
    return answer;
  }
}
