/** Reads the code blocks of the documentation. */
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";

import { root } from "./harness.mjs";

/** Lists all documents. */
async function documents() {
  const folders = ["", "docs/"];
  for (const parent of ["examples/", "packages/"]) {
    for (const name of await readdir(path.join(root, parent))) folders.push(`${parent}${name}/`);
  }
  const listed = folders.map(async (folder) => (await readdir(path.join(root, folder))).filter((name) => name.endsWith(".md")).map((name) => folder + name));
  return (await Promise.all(listed)).flat().sort();
}

/**
 * Lists the pieces in some languages: `{ place: "docs/inspect.md:12", language, text }`, without their indentation. Those with the name
 * of an example's file behind the language are none: they are compared with it by `tests/docs.rs`, and the example is compiled.
 */
export async function pieces(...languages) {
  const found = [];
  for (const document of await documents()) {
    const lines = (await readFile(path.join(root, document), "utf8")).split("\n");
    for (let at = 0; at < lines.length; at++) {
      const [, indent, language] = /^( *)```(\w+)$/.exec(lines[at]) ?? [];
      if (language === undefined) continue;
      const place = `${document}:${at + 1}`;
      const text = [];
      for (at++; lines[at].trim() !== "```"; at++) text.push(lines[at].slice(indent.length));
      if (languages.includes(language)) found.push({ place, language, text: `${text.join("\n")}\n` });
    }
  }
  return found;
}
