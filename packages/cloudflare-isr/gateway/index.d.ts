/**
 * The cache as a Worker, prebuilt: Rust as Wasm, and the module around it. A Worker in front of a site is
 *
 * ```js
 * export { default, IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";
 * ```
 *
 * with the bindings and `[vars.ISR]` in its `wrangler.toml`.
 *
 * @module
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

import type {
  InspectOptions,
  InvalidateRequest,
  Invalidation,
  Invalidations,
  IsrService,
  Lookup,
  PageSettings,
  PathInspection,
  Receipt,
  RevalidateOptions,
  ShardInspection,
  Stored,
  TagInspection,
} from "../index.js";

/** The entrypoint: answers visitors from the cache, and other Workers by RPC. */
export default class Gateway extends WorkerEntrypoint implements IsrService {
  fetch(request: Request): Promise<Response>;
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  invalidation(seq: number): Promise<Invalidation>;
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
  lookup(request: Request | string): Promise<Lookup>;
  store(ticket: string, response: Response, settings?: PageSettings): Promise<Stored>;
}

/** The methods that the objects have as well. */
type ObjectService = Omit<IsrService, "lookup" | "store">;

/** Owns the pages of one shard of a route: bound as `COORDINATOR`. */
export class IsrCoordinator extends DurableObject implements ObjectService {
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  invalidation(seq: number): Promise<Invalidation>;
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
}

/** Knows which coordinators carry a tag, and keeps the log of invalidations: bound as `TAG_INDEX`. */
export class IsrTagIndex extends DurableObject implements ObjectService {
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  invalidation(seq: number): Promise<Invalidation>;
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
}
