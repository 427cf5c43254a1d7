/** Numbers, times and names as people read them. */
import type { Invalidation, Target } from "./api.js";

const numbers = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const number = (value: number) => numbers.format(value);
export const percent = (part: number, whole: number) => (whole === 0 ? "–" : `${numbers.format(Math.round((1000 * part) / whole) / 10)} %`);
export const timeOfDay = (millis: number) => clock.format(millis);
export const date = (millis: number) => day.format(millis);

/** `1 page`, `2 pages`. */
export const count = (value: number, noun: string) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;

/** How long something takes, in the largest unit that fits. */
export function span(millis: number): string {
  const seconds = Math.max(0, millis) / 1000;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export const ago = (millis: number | null, now: number) => (millis === null ? "–" : `${span(now - millis)} ago`);

/** What an invalidation names, in words. */
export function targetOf({ path, tag, prefix, route, everything }: Target | Invalidation): string {
  if (everything) return "everything";
  if (path !== undefined) return `path ${path}`;
  if (tag !== undefined) return `tag ${tag}`;
  if (prefix !== undefined) return `prefix ${prefix}`;
  return `route ${route ?? ""}`;
}

/** A key without the origin of the dashboard itself. */
export const shortKey = (key: string) => (key.startsWith(`${location.origin}/`) ? key.slice(location.origin.length) : key);
