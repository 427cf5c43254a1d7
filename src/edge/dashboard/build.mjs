/**
 * Writes the page of the dashboard as one self-contained text into a module: `node build.mjs <file>`. Script and style are in the page,
 * and the policy names them by their hashes, so that the page runs nothing else. `cargo xtask build` runs it before it compiles the entry
 * module, which serves the page.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const from = (...parts) => path.join(import.meta.dirname, ...parts);
const options = { bundle: true, minify: true, write: false, target: "es2022", legalComments: "none", logLevel: "warning" };

/** Compiles a file. A tag in it would end the element that it is put into. */
async function compiled(entry) {
  const { outputFiles: [{ text }] } = await build({ ...options, entryPoints: [from(entry)], format: "iife" });
  const found = /<\/(?:script|style)|<!--/i.exec(text);
  if (found) throw new Error(`${entry} contains ${found[0]}`);
  return text.trim();
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const escaped = (text) => text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
const licence = await readFile(fileURLToPath(import.meta.resolve("uplot/LICENSE")), "utf8");

const parts = { style: await compiled("style.css"), script: await compiled("main.ts"), licence: escaped(licence.trim()) };
const template = await readFile(from("index.html"), "utf8");
const html = template.replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);

const policy = [
  "default-src 'none'",
  `script-src ${hash(parts.script)}`,
  `style-src ${hash(parts.style)}`,
  "img-src data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

await writeFile(process.argv[2], `export const html = ${JSON.stringify(html)};\nexport const policy = ${JSON.stringify(policy)};\n`);
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
console.log(`the page of the dashboard: ${kib(Buffer.byteLength(html))}, ${kib(gzipSync(html).length)} with gzip`);
