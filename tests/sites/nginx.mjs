/** nginx of Debian's packages, with the configuration of a site. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { debian, debianEnvironment, freePort, isRoot, serve } from "./programs.mjs";

/** Starts nginx with a configuration of a site, and returns its address. */
export async function startNginx(folder, file) {
  const port = await freePort();
  const values = { folder, port, mimes: await debian("etc/nginx/mime.types") };
  const text = (await readFile(file, "utf8")).replaceAll(/\{(folder|port|mimes)\}/g, (_, name) => values[name]);
  const own = path.join(folder, "nginx.conf");
  await writeFile(own, isRoot ? `user root;\n${text}` : text);
  await serve(await debian("usr/sbin/nginx"), ["-p", folder, "-c", own, "-e", path.join(folder, "nginx-errors.log")], { port, env: debianEnvironment() });
  return `http://127.0.0.1:${port}`;
}
