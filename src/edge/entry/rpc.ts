import type { IsrErrorCode, IsrService } from "cloudflare-isr";

import RustGateway, { type Answer, type Failure, type RustObject } from "../../../build/index.js";

/** The name of an RPC method. */
export type Method = keyof IsrService;

/** The methods that other Workers can call, on the entrypoint and on both objects. `IsrService` documents them. */
const METHODS: Record<Method, true> = {
  revalidatePath: true,
  revalidateTag: true,
  invalidate: true,
  invalidation: true,
  inspectTag: true,
  inspectPath: true,
  inspectShard: true,
  explain: true,
  overview: true,
  decisions: true,
  lookup: true,
  store: true,
};

/** Adds the RPC methods to a prototype. Everything on the prototype of an exported class can be called over a binding. */
export function expose<Self>(prototype: Self, call: (self: Self, method: Method, args: unknown[]) => Promise<unknown>): void {
  for (const method of Object.keys(METHODS) as Method[]) {
    const value = function (this: Self, ...args: unknown[]) {
      return call(this, method, args);
    };
    Object.defineProperty(prototype, method, { value, configurable: true, writable: true });
  }
}

/** An RPC call that failed: `code` is for programs, `message` for people. */
class IsrError extends Error {
  readonly code: IsrErrorCode;

  constructor({ code, message }: Failure) {
    super(message);
    this.name = "IsrError";
    this.code = code;
  }
}

/** Returns the result of a call, or throws its error. */
function checked(answer: Answer): unknown {
  if (answer.error) throw new IsrError(answer.error);
  return answer;
}

function argument(isValid: boolean, message: string): asserts isValid {
  if (!isValid) throw new IsrError({ code: "invalid_argument", message });
}

/** Performs a method of an entrypoint. */
export async function callEntrypoint(ctx: ExecutionContext, env: unknown, method: Method, args: unknown[]): Promise<unknown> {
  const gateway = new RustGateway(ctx, env);
  const [first, second, third] = args;
  if (method === "lookup") {
    const request = typeof first === "string" && URL.canParse(first) ? new Request(first) : first;
    argument(request instanceof Request, "lookup takes a Request, or the URL of a page");
    return checked(await gateway.isrLookup(env, ctx, request));
  }
  if (method === "store") {
    argument(typeof first === "string", "store takes the ticket that lookup has given");
    argument(second instanceof Response, "store takes the Response to be stored");
    argument(!second.bodyUsed, "the body of the Response has been read already");
    return checked(await gateway.isrStore(env, first, second, JSON.stringify(third ?? null)));
  }
  const call = JSON.stringify({ method, argument: first, options: second });
  return checked(JSON.parse(await gateway.isrRpc(env, call)) as Answer);
}

/** Performs a method of an object. */
export async function callObject(object: RustObject, ctx: DurableObjectState, method: Method, args: unknown[]): Promise<unknown> {
  // The entrypoint reads the cache of the colo, knows which coordinator owns a page, and asks many objects.
  if (method === "lookup" || method === "store" || method === "explain" || method === "overview" || method === "decisions") {
    const { default: entrypoint } = ctx.exports as unknown as { default: Record<Method, (...args: unknown[]) => Promise<unknown>> };
    return entrypoint[method](...args);
  }
  const body = JSON.stringify({ method, argument: args[0], options: args[1] });
  const response = await object.fetch(new Request("https://object/v1/rpc", { method: "POST", body }));
  if (!response.ok) throw new IsrError({ code: "unavailable", message: "the object could not carry it out; try again" });
  return checked(JSON.parse(await response.text()) as Answer);
}
