/**
 * Types of the cache's RPC methods and of its configuration, and the functions that the adapters for frameworks use.
 *
 * @module
 */
export type * from "./config.js";
export type { IsrReason } from "./reason.js";
export type * from "./explanation.js";
export type * from "./inspection.js";
export type * from "./invalidation.js";
export { isRender } from "./render.js";
export { isIsrError, type IsrError, type IsrErrorCode, type IsrService, type Lookup, type Stored } from "./rpc.js";
export { applyPagePolicy, createPagePolicy, type PageSettings, type ResolvedSettings, type PagePolicy } from "./page_policy.js";
export { isOwnRender, serve, type IsrContext, type ServeOptions } from "./serve.js";
