/**
 * Builds `dist/`: the TypeScript sources, and the gateway with its Wasm. Then writes the package as npm is to pack it into a
 * folder, with the packed program of this machine's platform: `node build.mjs <folder> <packed program>`.
 * `cargo xtask package` runs it, after the Worker and the program are built.
 */
import { execFileSync } from "node:child_process";
import { copyFile, cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { build } from "esbuild";

import { packageFor } from "./bin/platform.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const from = (...parts) => path.join(import.meta.dirname, ...parts);
const gateway = from("dist/gateway");

await rm(from("dist"), { recursive: true, force: true });
await mkdir(gateway, { recursive: true });
// The types of the gateway refer to those of the package, which therefore come first.
for (const project of ["tsconfig.json", "tsconfig.gateway.json"]) {
  execFileSync(path.join(root, "node_modules/.bin/tsc"), ["-p", from(project)], { stdio: "inherit" });
}
await rename(path.join(gateway, "entry.d.ts"), path.join(gateway, "index.d.ts"));
// Nothing that is exported refers to these.
for (const internal of ["dashboard", "hit", "memory", "plain", "rpc"]) await rm(path.join(gateway, `${internal}.d.ts`));

// The Wasm stays a file that the module imports: that is how wrangler takes it for a compiled module.
await build({
  entryPoints: [path.join(root, "src/edge/entry/entry.ts")],
  outfile: path.join(gateway, "index.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  external: ["cloudflare:workers", "*.wasm"],
  logLevel: "warning",
});
await copyFile(path.join(root, "build/index_bg.wasm"), path.join(gateway, "index_bg.wasm"));

// A published package names the packages of all platforms by their version. This one is for this machine.
const [folder, program] = process.argv.slice(2);
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const manifest = JSON.parse(await readFile(from("package.json"), "utf8"));
for (const file of ["LICENSE", "README.md", ...manifest.files]) {
  await cp(from(file), path.join(folder, file), { recursive: true });
}
manifest.optionalDependencies = { [packageFor()]: `file:${program}` };
await writeFile(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
