/** The documentation's pieces of code. */
import { readFile } from "node:fs/promises";
import path from "node:path";

import { root } from "./harness.mjs";

/** The documents whose pieces are compiled and read. */
export const documents = ["README.md", "docs/inspect.md", "docs/javascript.md", "packages/cloudflare-isr/README.md"];

/** Lists the pieces in some languages: `{ place: "docs/inspect.md:12", language, text }`, without their indentation. */
export async function pieces(...languages) {
  const found = [];
  for (const document of documents) {
    const lines = (await readFile(path.join(root, document), "utf8")).split("\n");
    for (let at = 0; at < lines.length; at++) {
      const [, indent, language] = /^( *)```(\w+)/.exec(lines[at]) ?? [];
      if (language === undefined) continue;
      const place = `${document}:${at + 1}`;
      const text = [];
      for (at++; lines[at].trim() !== "```"; at++) text.push(lines[at].slice(indent.length));
      if (languages.includes(language)) found.push({ place, language, text: `${text.join("\n")}\n` });
    }
  }
  return found;
}
