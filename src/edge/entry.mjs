// The module that wrangler loads: the Worker built from Rust, with its methods named for RPC. A method reaches a Durable
// Object by RPC only if the object's class extends `DurableObject`, which classes made by wasm-bindgen do not: so each
// stands in front of its Rust instance. Whatever stands on these prototypes can be called over a binding, and so
// nothing else does.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import Gateway, { IsrCoordinator as RustCoordinator, IsrTagIndex as RustTagIndex } from "../../build/index.js";

/** An RPC call that was not carried out: `code` is for programs, `message` for people. */
class IsrError extends Error {
	constructor({ code, message }) {
		super(message);
		this.name = "IsrError";
		this.code = code;
	}
}

/** Reads the answer of a call: its value, or an exception. */
function answer(text) {
	const value = JSON.parse(text);
	if (value.error) throw new IsrError(value.error);
	return value;
}

/** Calls a method of an object that is written in Rust. */
async function call(object, method, argument) {
	const request = new Request("https://object/v1/rpc", { method: "POST", body: JSON.stringify({ method, argument }) });
	const response = await object.fetch(request);
	if (!response.ok) throw new IsrError({ code: "unavailable", message: "the invalidation could not be recorded; try again" });
	return answer(await response.text());
}

export default class extends WorkerEntrypoint {
	#gateway;

	constructor(ctx, env) {
		super(ctx, env);
		this.#gateway = new Gateway(ctx, env);
	}

	fetch(request) {
		return this.#gateway.fetch(request);
	}

	/** Invalidates all variants of a path. Resolves to a receipt once every coordinator concerned has been told. */
	async revalidatePath(path) {
		return answer(await this.#gateway.isrRpc(this.env, JSON.stringify({ method: "revalidatePath", argument: path })));
	}

	/** Invalidates every page that carries a tag. Resolves to a receipt once every coordinator concerned has been told. */
	async revalidateTag(tag) {
		return answer(await this.#gateway.isrRpc(this.env, JSON.stringify({ method: "revalidateTag", argument: tag })));
	}
}

export class IsrCoordinator extends DurableObject {
	#object;

	constructor(ctx, env) {
		super(ctx, env);
		this.#object = new RustCoordinator(ctx, env);
	}

	fetch(request) {
		return this.#object.fetch(request);
	}

	alarm() {
		return this.#object.alarm();
	}

	revalidatePath(path) {
		return call(this.#object, "revalidatePath", path);
	}

	revalidateTag(tag) {
		return call(this.#object, "revalidateTag", tag);
	}
}

export class IsrTagIndex extends DurableObject {
	#object;

	constructor(ctx, env) {
		super(ctx, env);
		this.#object = new RustTagIndex(ctx, env);
	}

	fetch(request) {
		return this.#object.fetch(request);
	}

	alarm() {
		return this.#object.alarm();
	}

	revalidatePath(path) {
		return call(this.#object, "revalidatePath", path);
	}

	revalidateTag(tag) {
		return call(this.#object, "revalidateTag", tag);
	}
}
