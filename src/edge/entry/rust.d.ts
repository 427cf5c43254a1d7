/** The module that `worker-build` writes, as far as the entry module uses it. `src/edge/` exports it with `#[wasm_bindgen]`. */
declare module "*/build/index.js" {
  import { WorkerEntrypoint } from "cloudflare:workers";

  /** What `isrPlan` and `isrRemembered` return for a stored page that is fresh: the response headers for it. */
  export interface Plan {
    /** Identifies the plan to `isrHolds` or `isrRecall`. */
    number: number;
    /** The body of a page in memory. */
    body?: ArrayBuffer;
    /** Whether the request puts a page of L1 into memory. */
    admits: boolean;
    /** Whether the page is served by the standard rules of HTTP. */
    isStandard: boolean;
    /** Headers of a 200. */
    headers: Headers;
    /** Headers of a 304. */
    notModified: Headers;
    /** Which requests the plan is not for. */
    excluded: import("./plain.js").Exclusion[] | undefined;
  }

  /** An RPC call that failed. */
  export interface Failure {
    code: import("cloudflare-isr").IsrErrorCode;
    message: string;
  }

  /** The result of an RPC call, or why it failed. */
  export type Answer = { error?: undefined } | { error: Failure };

  /** The gateway for one request. Its functions are those of the Wasm module, and do not depend on the instance. */
  export default class RustGateway extends WorkerEntrypoint<unknown> {
    override fetch(request: Request): Promise<Response>;
    /** Answers from the cache, or by the Worker's own handler. */
    isrGateway(request: Request, env: unknown, ctx: ExecutionContext, own: { fetch(request: Request): Promise<Response> }): Promise<Response>;
    isrLookup(env: unknown, ctx: ExecutionContext, request: Request): Promise<Answer>;
    /** `settings` is JSON. */
    isrStore(env: unknown, ticket: string, response: Response, settings: string): Promise<Answer>;
    /** `call` and the result, an {@link Answer}, are JSON. */
    isrRpc(env: unknown, call: string): Promise<string>;
    isrConstants(): import("./plain.js").Constants;
    /** Returns whether the dashboard exists. */
    isrHasDashboard(env: unknown): boolean;
    isrCacheName(env: unknown): string | undefined;
    /** Returns a key, or what the variant depends on. */
    isrKey(env: unknown, url: string): string | import("./plain.js").VariantSources | undefined;
    /** Returns the key of the variant, and its URL in L1. */
    isrVariant(env: unknown, url: string, headers: Headers, country: string | undefined): [key: string, cacheUrl: string] | undefined;
    /** Returns `undefined` if the page is not in memory, and `null` if the gateway has to answer. */
    isrRemembered(env: unknown, key: string): (Plan & { body: ArrayBuffer }) | null | undefined;
    isrRecall(number: number, now: number): ArrayBuffer | undefined;
    isrPlan(env: unknown, key: string, meta: string, headers: Headers): Plan | undefined;
    /** Returns 0 if the plan does not hold, 1 if it does, and 2 if the request also puts the page into memory. */
    isrHolds(number: number, now: number): 0 | 1 | 2;
    /** Returns whether the page is in memory now. */
    isrCollect(env: unknown, meta: string, page: Response): Promise<boolean>;
    /** Counts the first HIT of a plan. */
    isrCount(number: number): void;
    isrHas(ifNoneMatch: string, etag: string | undefined): boolean;
  }

  /** A Durable Object that is written in Rust. */
  export interface RustObject {
    fetch(request: Request): Promise<Response>;
    alarm(): Promise<Response>;
  }

  export const IsrCoordinator: new (ctx: DurableObjectState, env: unknown) => RustObject;
  export const IsrTagIndex: new (ctx: DurableObjectState, env: unknown) => RustObject;
}

/** The module that `dashboard/build.mjs` writes. */
declare module "*/build/dashboard.js" {
  /** The page of the dashboard. */
  export const html: string;
  /** Its `Content-Security-Policy`. */
  export const policy: string;
}
