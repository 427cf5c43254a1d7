#!/usr/bin/env node
/** The program of the package. `cloudflare-isr new <folder>` writes a gateway with a site behind it. */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";

import { filesOf } from "./project.mjs";

const USAGE = `Usage: cloudflare-isr new <folder> [--site <worker> | --origin <url>] [--package <version or file>]

Writes a Worker with the cache, and what it needs to stand in front of a site, into a new folder.

  --site <worker>   the site is a Worker of this name, deployed already
  --origin <url>    the site is to be reached by this URL
                    with neither, an example site is written as well
  --package <spec>  what npm installs as cloudflare-isr; by default, this version`;

/** A mistake in the arguments: printed without a stack. */
class UsageError extends Error {}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { site: { type: "string" }, origin: { type: "string" }, package: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${USAGE}`);
  }
}

/** Asks the one thing that can't be guessed, if there is somebody to ask. */
async function askForSite() {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return undefined;
  const terminal = createInterface(process.stdin, process.stdout);
  const answer = await terminal.question("Which Worker is the site? Its name, or nothing for an example site: ");
  terminal.close();
  return answer.trim() || undefined;
}

/** Makes a name of a Worker of the folder's: lower-case letters, digits and hyphens, which wrangler asks for. */
function nameOf(folder) {
  const name = path.basename(folder).toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "");
  return name.slice(0, 50) || "isr";
}

async function create(folder, { site, origin, package: spec }) {
  if (site !== undefined && origin !== undefined) throw new UsageError("give one of --site and --origin: there is one site");
  if (site !== undefined && !/^[a-z0-9_][a-z0-9_-]*$/i.test(site)) throw new UsageError(`--site: ${JSON.stringify(site)} is no name of a Worker`);
  if (origin !== undefined && !/^https?:\/\/[^/?#@"\\\s]+(\/[^?#"\\\s]*)?$/i.test(origin)) {
    throw new UsageError(`--origin: ${JSON.stringify(origin)} is no URL without query, such as https://site.example.com`);
  }
  const present = await readdir(folder).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (present.length > 0) throw new UsageError(`${folder} is not empty: name a new folder`);
  const service = site ?? (origin === undefined ? await askForSite() : undefined);
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const files = filesOf({ name: nameOf(path.resolve(folder)), site: service, origin, spec: spec ?? `^${version}` });
  for (const [file, text] of Object.entries(files)) {
    const target = path.join(folder, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  console.log(`Written to ${folder}: ${Object.keys(files).join(", ")}

  cd ${JSON.stringify(folder)}
  npm install
  npm run dev       # on http://localhost:8787; ask twice, and look at X-ISR-Status
  npm run deploy`);
  if (service !== undefined) console.log(`\nLocally, start ${service} with \`wrangler dev\` as well: the two find each other.`);
}

try {
  const { values, positionals } = parse();
  const [command, folder, ...others] = positionals;
  if (values.help) console.log(USAGE);
  else if (command === "new" && folder !== undefined && others.length === 0) await create(folder, values);
  else throw new UsageError(USAGE);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
