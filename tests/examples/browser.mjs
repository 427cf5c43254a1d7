/** A headless Chromium, which `cargo xtask` has found or installed and passes as `CHROME_PATH`. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";

import { chromium } from "playwright-core";

import { root } from "./harness.mjs";

const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/**
 * Opens an empty page in a browser with a new profile, which is gone at the end of the test. What goes wrong inside it is in
 * `errors`; `screenshot(name, options)` keeps a picture under `target/screenshots/`.
 * @param {import("node:test").TestContext} t
 * @param {string[]} [more] more flags
 */
export async function open(t, more = []) {
  const executablePath = process.env.CHROME_PATH;
  assert.ok(executablePath, "CHROME_PATH does not name a Chromium: run the tests by `cargo xtask test`");
  const browser = await chromium.launch({ executablePath, headless: true, args: [...flags, ...more] });
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  const picture = page.screenshot.bind(page);
  const screenshot = async (name, options = {}) => {
    const folder = path.join(root, "target", "screenshots");
    await mkdir(folder, { recursive: true });
    await picture({ ...options, path: path.join(folder, `${name}.png`) });
  };
  return Object.assign(page, { errors, screenshot });
}
