/**
 * Writes the npm package with the program `isr` of this machine's platform: `node program.mjs <program> <folder>`.
 * `cargo xtask package` runs it, and packs the folder.
 */
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { packageFor, programIn } from "./bin/platform.mjs";

const [program, folder] = process.argv.slice(2);
const { version, license } = JSON.parse(await readFile(path.join(import.meta.dirname, "package.json"), "utf8"));
const name = packageFor();
const file = path.join(folder, programIn());

await rm(folder, { recursive: true, force: true });
await mkdir(path.dirname(file), { recursive: true });
await copyFile(program, file);
await chmod(file, 0o755);
await copyFile(path.join(import.meta.dirname, "LICENSE"), path.join(folder, "LICENSE"));
const manifest = {
  name,
  version,
  description: `The command line of cloudflare-isr for ${process.platform} on ${process.arch}`,
  license,
  preferUnplugged: true,
  os: [process.platform],
  cpu: [process.arch],
  ...(process.platform === "linux" && { libc: ["glibc"] }),
  files: ["bin"],
};
await writeFile(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
await writeFile(path.join(folder, "README.md"), `# ${name}\n\n${manifest.description}. Install \`cloudflare-isr\`, which installs this package.\n`);
