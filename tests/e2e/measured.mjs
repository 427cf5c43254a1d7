/** The gateway, and at `/wasm-bytes` the size of its Wasm memory. */
import { wasmBytes } from "../wasm-memory.mjs";
import Gateway from "../../build/entry.js";

export { IsrCoordinator, IsrTagIndex } from "../../build/entry.js";

export default class extends Gateway {
  fetch(request) {
    return new URL(request.url).pathname === "/wasm-bytes" ? new Response(String(wasmBytes())) : super.fetch(request);
  }
}
