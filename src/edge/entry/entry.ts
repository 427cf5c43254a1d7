/**
 * The cache as a Worker, prebuilt: Rust as Wasm, and the module around it. A Worker in front of an origin is
 *
 * ```js
 * export { default, IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";
 * ```
 *
 * with the bindings and `[vars.ISR]` in its `wrangler.toml`.
 *
 * @module
 */
import { WorkerEntrypoint } from "cloudflare:workers";

import type { IsrService } from "cloudflare-isr";

import RustGateway from "../../../build/index.js";
import { dashboard } from "./dashboard.js";
import { shortPath } from "./hit.js";
import { callEntrypoint, expose } from "./rpc.js";

export { IsrCoordinator, IsrTagIndex, type IsrObject, type IsrObjectClass } from "./objects.js";
export { withIsr, type Handler, type WithIsr } from "./with_isr.js";

/** The entrypoint: answers clients from the cache, and other Workers by RPC. */
class Gateway extends WorkerEntrypoint<unknown> {
  override fetch(request: Request): Response | Promise<Response> {
    const { ctx, env } = this;
    const answer = shortPath(request, env, ctx);
    return answer instanceof Response ? answer : this.#fetch(request, answer);
  }

  async #fetch(request: Request, answer: Promise<Response | undefined> | undefined): Promise<Response> {
    return (await answer) ?? dashboard(request, this.env, this.ctx) ?? new RustGateway(this.ctx, this.env).fetch(request);
  }

  static {
    expose(this.prototype, (self, method, args) => callEntrypoint(self.ctx, self.env, method, args));
  }
}

/** The RPC methods, which {@link expose} adds. */
interface Gateway extends IsrService {}

export default Gateway;
