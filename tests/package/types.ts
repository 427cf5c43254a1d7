/**
 * Compiled but not run: uses every type of the package like a Worker, and marks with `@ts-expect-error` the mistakes
 * that must be found. `tests/e2e/package.test.mjs` compiles it strictly, against the packed file.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import {
  applyPagePolicy,
  createPagePolicy,
  isIsrError,
  isOwnRender,
  isRender,
  serve,
  type Decision,
  type Invalidation,
  type IsrConfig,
  type IsrErrorCode,
  type IsrService,
  type PageSettings,
  type PageState,
  type Receipt,
  type ResolvedSettings,
  type PagePolicy,
} from "cloudflare-isr";
import Gateway, { IsrCoordinator, IsrTagIndex, withIsr } from "cloudflare-isr/gateway";

interface Env {
  GATEWAY: IsrService;
  /** As `wrangler types` writes a service whose configuration it is given as well. */
  TYPED: Service<typeof Gateway>;
  /** As it writes a service that it knows nothing of. */
  UNTYPED: Fetcher;
  COORDINATOR: DurableObjectNamespace<IsrCoordinator>;
  TAG_INDEX: DurableObjectNamespace<IsrTagIndex>;
}

export async function invalidates(env: Env): Promise<void> {
  const receipt: Receipt = await env.GATEWAY.revalidatePath("/blog/hello");
  const number: number = receipt.seq + receipt.pages.matched + receipt.shards.applied + receipt.shards.pending;
  if ("path" in receipt) receipt.path.toUpperCase();
  await env.GATEWAY.revalidateTag("post:42", { mode: "stale", refresh: "eager" });
  const { invalidations } = await env.GATEWAY.invalidate({ tags: ["a", "b"], prefix: "/blog", everything: true, mode: "purge" });
  const progress: Invalidation = await env.GATEWAY.invalidation(invalidations[0]?.seq ?? number);
  const { refreshed = 0, failed = 0, pending = 0 } = progress.pages;
  const doneAt: number | null = progress.doneAt;
  console.log(refreshed + failed + pending, doneAt, progress.sinks?.["zone-purge"] === "done");
  // @ts-expect-error there is no such mode
  await env.GATEWAY.revalidateTag("a", { mode: "soft" });
  // @ts-expect-error there is no such target
  await env.GATEWAY.invalidate({ paths: ["/a"] });
  // @ts-expect-error everything is true, or not there
  await env.GATEWAY.invalidate({ everything: false });
}

export async function inspects(env: Env): Promise<void> {
  const byTag = await env.GATEWAY.inspectTag("post:42", { limit: 50, after: null });
  const entry: (PageState & { shard: string }) | undefined = byTag.entries[0];
  const fresh: number | undefined = byTag.pages?.fresh;
  const byPath = await env.GATEWAY.inspectPath("/blog/hello");
  const state: "fresh" | "stale" | "expired" | "passing" | "absent" | undefined = byPath.entries[0]?.state;
  const byShard = await env.GATEWAY.inspectShard("/blog/[slug]#0", { after: byTag.after });
  const breaker: "closed" | "open" | "half-open" | undefined = byShard.state?.breaker.state;
  const { totals, hottest } = await env.GATEWAY.overview();
  const { decisions, after, more } = await env.GATEWAY.decisions({ shard: byShard.shard, limit: 10 });
  const kind: Decision["kind"] | undefined = decisions[0]?.kind;
  console.log(totals.breaker.halfOpen, hottest[0]?.heat, kind === "published", after, more);
  const { explanation, facts } = await env.GATEWAY.explain("https://example.com/blog/hello", { detail: "queue-full" });
  const status: "HIT" | "STALE" | "MISS" | "SKIP" | "BYPASS" | null = facts.request.status;
  console.log(explanation, status, facts.l1.holds, byPath.entries[0]?.unpublished?.reason);
  console.log(entry?.invalidated?.mode, entry?.rendering?.purpose, entry?.l2.state, fresh, state, breaker, byShard.deliveries.oldestPending);
}

export async function callsOtherBindings(env: Env): Promise<void> {
  const seq: number = (await env.TYPED.revalidateTag("a")).seq;
  const untyped = env.UNTYPED as unknown as IsrService;
  await untyped.invalidation(seq);
  await env.TAG_INDEX.getByName("tags#0").revalidatePath("/");
  await env.COORDINATOR.getByName("/#0").inspectPath("/");
  // @ts-expect-error there is no such method
  await env.TYPED.revalidate("a");
}

export async function rendersForTheCache(request: Request, env: Env): Promise<Response> {
  const found = await env.GATEWAY.lookup(request);
  switch (found.status) {
    case "HIT":
    case "STALE":
      return found.response;
    case "MISS": {
      if (found.response) return found.response;
      const page = new Response(`<h1>${found.request.url}</h1>`);
      const { stored, reason } = await env.GATEWAY.store(found.ticket, page.clone(), { revalidate: false, tags: ["a"] });
      const word: string | null = stored ? null : reason;
      console.log(word);
      return page;
    }
    case "SKIP":
    case "BYPASS":
      return new Response(found.reason);
    case "PASS":
      return new Response("not a page");
  }
}

export async function fails(env: Env): Promise<IsrErrorCode | undefined> {
  try {
    await env.GATEWAY.revalidatePath("/a?b");
  } catch (error) {
    if (!isIsrError(error)) throw error;
    const code: IsrErrorCode = error.code;
    // @ts-expect-error there is no such code
    if (error.code === "no_such_code") console.log(error.message);
    return code;
  }
  return undefined;
}

export async function collects(headers: Headers, request: Request, secret: string): Promise<ResolvedSettings | null> {
  const policy: PagePolicy = createPagePolicy();
  const settings: PageSettings = { revalidate: 60, tags: ["posts"] };
  policy.defaults(settings);
  policy.set({ revalidate: false });
  applyPagePolicy(headers, policy);
  if (await isRender(request, secret)) return policy.resolve();
  // @ts-expect-error true is no lifetime
  policy.set({ revalidate: true });
  return null;
}

export const adapter = {
  fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const policy = createPagePolicy();
    if (isOwnRender(ctx)) policy.set({ tags: ["rendered"] });
    return serve({ request, env, ctx, binding: "GATEWAY", policy, render: () => new Response("a page") });
  },
};

export const config: IsrConfig = {
  revalidate: 60,
  origin: "self",
  trailing_slash: "redirect",
  hosts: ["example.com"],
  routes: {
    "/": {},
    "/blog/[slug]": { revalidate: false, tags: ["blog"], query: ["page"], statuses: [200, 404] },
    "/shop/*": { query: "all", vary: { language: ["en"], device: ["mobile"], country: ["DE"], cookie: { currency: ["EUR"] } } },
  },
};

// @ts-expect-error a misspelt name
export const misspelt: IsrConfig = { revalidte: 60, routes: { "/": {} } };
// @ts-expect-error no routes
export const withoutRoutes: IsrConfig = { revalidate: 60 };
// @ts-expect-error a pattern begins with a slash
export const withoutSlash: IsrConfig = { routes: { blog: {} } };
// @ts-expect-error 500 is never stored
export const withFailures: IsrConfig = { routes: { "/": { statuses: [500] } } };

export const withHandler = withIsr<Env>({
  async fetch(request, env, ctx) {
    ctx.waitUntil(env.GATEWAY.revalidatePath(new URL(request.url).pathname));
    return new Response("a page", { headers: { "x-isr-revalidate": "60" } });
  },
  async scheduled(controller, env) {
    console.log(controller.cron);
    await env.GATEWAY.revalidateTag("hourly");
  },
});

// @ts-expect-error a site answers requests
export const withoutFetch = withIsr<Env>({ async scheduled() {} });

class Site extends WorkerEntrypoint<Env> {
  override fetch(): Response {
    return new Response("a page");
  }

  greet(name: string): string {
    return `Hello, ${name}`;
  }
}

export const withClass = withIsr(Site);

export async function callsItself(own: Service<typeof withClass>): Promise<string> {
  await own.revalidateTag("a");
  return own.greet("you");
}

export default withHandler;
export { IsrCoordinator, IsrTagIndex };
