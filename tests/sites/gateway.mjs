/** A gateway in front of a site by URL: with the configuration of a recipe, or as a new user starts. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { adminToken, bypassToken, root, start } from "../e2e/harness.mjs";
import { unstable_readConfig } from "wrangler";

export { adminToken, bypassToken };

/** What a new user writes: the URL, and one route for everything. */
export const defaults = { routes: { "/*": {} } };

/** Reads the settings of a recipe: `[vars.ISR]` in its wrangler.toml. */
export function recipeOf(name) {
  return unstable_readConfig({ config: path.join(root, "docs/recipes", name, "wrangler.toml") }).vars.ISR;
}

/**
 * Starts the gateway in front of an address.
 * @param {string} address
 * @param {object} settings
 * @param {{ port?: number }} [options]
 */
export function gatewayFor(address, settings, { port } = {}) {
  return start({ origin: null, isr: { ...settings, origin: address }, port });
}

/** Keeps the table of hit ratios of a site under `target/sites/`, and prints it. */
export async function keep(name, table) {
  const folder = path.join(root, "target/sites");
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, `${name}.md`), table);
  console.log(`${name}\n${table}`);
}
