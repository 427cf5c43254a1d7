/** A Worker of somebody else's, bound to the gateway and to its objects. Its callers say what to call. */
export const caller = {
  name: "caller",
  modules: true,
  compatibilityDate: "2026-11-01",
  serviceBindings: { GATEWAY: "cloudflare-isr" },
  durableObjects: {
    COORDINATOR: { className: "IsrCoordinator", scriptName: "cloudflare-isr", useSQLite: true },
    TAG_INDEX: { className: "IsrTagIndex", scriptName: "cloudflare-isr", useSQLite: true },
  },
  script: `export default {
    async fetch(request, env) {
      const { binding, object, method, args } = await request.json();
      const target = object === undefined ? env[binding] : env[binding].getByName(object);
      try {
        return Response.json({ value: await target[method](...args) });
      } catch (error) {
        return Response.json({ thrown: { error: error instanceof Error, code: error.code, message: error.message } });
      }
    },
  }`,
};

/** Calls a method of a binding, or of the object with this name, from that Worker. Returns `value`, or what was `thrown`. */
export async function rpc(isr, binding, object, method, ...args) {
  const body = JSON.stringify({ binding, object, method, args });
  return (await isr.ask("caller", "/", { method: "POST", body })).json;
}
