// Remembers the Wasm instance of a module that is imported after this one: its memory is not exported otherwise.

let latest;

const { Instance } = WebAssembly;

WebAssembly.Instance = class extends Instance {
  constructor(...parameters) {
    super(...parameters);
    latest = this;
  }
};

/** Returns the bytes of the Wasm memory. */
export function wasmBytes() {
  return latest.exports.memory.buffer.byteLength;
}
