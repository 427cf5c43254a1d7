/** A site that Hugo of Debian's packages writes, behind nginx, in a folder of its own. */
import { cp, writeFile } from "node:fs/promises";
import path from "node:path";

import { startNginx } from "../nginx.mjs";
import { debian, debianEnvironment, here, run, siteFolder } from "../programs.mjs";

/** Builds the site and starts nginx. */
export async function startHugo() {
  const folder = await siteFolder();
  for (const part of ["config.toml", "content", "layouts", "static"]) await cp(path.join(here, "hugo", part), path.join(folder, part), { recursive: true });
  await writeFiles(folder);
  const build = async () => run(await debian("usr/bin/hugo"), ["--source", folder, "--cleanDestinationDir", "--quiet"], { env: debianEnvironment() });
  await build();
  return { folder, build, address: await startNginx(folder, path.join(here, "hugo/nginx.conf")) };
}

/** Writes what is long or dull: posts, empty files, a picture, a film. */
async function writeFiles(folder) {
  const posts = path.join(folder, "content/posts");
  for (let n = 1; n <= 8; n += 1) {
    const head = `---\ntitle: Lamp ${n}\ndate: 2026-03-0${n}\ntags: ["${n % 2 ? "bright" : "красный"}"]\n${n === 1 ? "aliases: [/old/lamp/]\n" : ""}---\n`;
    await writeFile(path.join(posts, `lamp-${n}.md`), `${head}The lamp *number ${n}* gives light.\n`);
  }
  await writeFile(path.join(posts, "lamp-1.de.md"), "---\ntitle: Lampe 1\ndate: 2026-03-01\n---\nDie Lampe leuchtet grün.\n");
  const files = path.join(folder, "static");
  for (const name of ["empty.css", "empty.txt", ...Array.from({ length: 9 }, (_, n) => `empty-${n}.txt`)]) await writeFile(path.join(files, name), "");
  await writeFile(path.join(files, "manual.txt"), "A manual of lamps.\n".repeat(500));
  await writeFile(path.join(files, "lamp.png"), Buffer.alloc(5_000, 7));
  await writeFile(path.join(files, "film.mp4"), Buffer.from(Array.from({ length: 2_000_000 }, (_, n) => n * 7)));
}
