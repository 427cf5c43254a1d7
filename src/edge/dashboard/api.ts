/** The admin API, as far as the dashboard asks it: docs/admin-api.md. The session is a cookie that scripts can't read. */

import type { Checked, Decision, Decisions, Overview, RankedPage } from "../../../packages/cloudflare-isr/src/inspection.js";

export type { Checked, Decision, Decisions, Overview, RankedPage };

/** Why a question has no answer. */
export class ApiError extends Error {
  /** The HTTP status; 0 if there is no response. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** Whether there is no session, or no longer. */
  get isSignedOut(): boolean {
    return this.status === 401;
  }
}

/** How long an answer may take. The gateway waits 5 s for each object, a few at a time. */
const PATIENCE = 30_000;

/** Sends a request, and returns its response if the status is one of these. */
async function send(path: string, init: RequestInit = {}, accepted = [200]): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/__isr/${path}`, { ...init, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    throw new ApiError(0, isLate ? "there is no answer within 30 s" : "the deployment could not be reached");
  }
  if (accepted.includes(response.status)) return response;
  const text = await response.text().catch(() => "");
  throw new ApiError(response.status, `${messageOf(text)} (${response.status})`);
}

/** Returns the message of an error of the gateway. */
function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string; problems?: string[] } };
    return error?.message ?? error?.problems?.join("; ") ?? "the answer is not of the gateway";
  } catch {
    return "the answer is not of the gateway";
  }
}

/** Asks an endpoint. Parameters without a value are left out. */
export async function ask<Answer>(path: string, query: Record<string, string | number | null | undefined> = {}): Promise<Answer> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  const response = await send(search.size > 0 ? `${path}?${search}` : path);
  return response.json() as Promise<Answer>;
}

function sendJson(method: string, path: string, body: unknown): Promise<Response> {
  return send(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/** A session, or that there is none. */
export interface SessionAnswer {
  signedIn: boolean;
  endsAt: number | null;
}

export const session = {
  current: () => ask<SessionAnswer>("session"),
  begin: async (token: string) => (await sendJson("POST", "session", { token })).json() as Promise<SessionAnswer>,
  end: () => send("session", { method: "DELETE" }),
};

/** The metrics in the text format of Prometheus. */
export const metrics = async () => (await send("metrics")).text();

/** The health check. With problems, it has the status 503. */
export const health = async () => (await send("health", {}, [200, 503])).json() as Promise<Health>;

/** Invalidates, and returns the receipts. */
export const invalidate = async (call: Record<string, unknown>) => {
  const { invalidations } = (await (await sendJson("POST", "revalidate", call)).json()) as { invalidations: Invalidation[] };
  return invalidations;
};

export interface Health {
  healthy: boolean;
  problems: { code: string; message: string }[];
}

/** What an invalidation names: one of these. */
export interface Target {
  path?: string;
  tag?: string;
  prefix?: string;
  route?: string;
  everything?: true;
}

export interface Invalidation extends Target {
  seq: number;
  mode: string;
  refresh: string;
  at?: number;
  pages: { matched: number; refreshed?: number; failed?: number; pending?: number };
  shards: { applied: number; pending: number };
  sinks?: Record<string, string>;
}

export interface Page {
  shard?: string;
  key: string;
  state: string;
  renderedAt: number | null;
}

export interface Entries {
  entries: Page[];
  after?: string | null;
}

export interface Lease {
  shard: string;
  key: string;
  purpose: string;
  attempt: number;
  beganAt: number;
}

export interface Leases {
  leases: Lease[];
  total: number;
  checked: Checked;
}

export interface Tag {
  tag: string;
  shards: number;
  lastInvalidation: { seq: number; mode: string; at: number } | null;
}

export interface Tags {
  tags: Tag[];
  after: string | null;
}

export interface Explanation {
  explanation: string;
  facts: Record<string, unknown>;
}

export interface Routes {
  routes: { pattern: string }[];
}
