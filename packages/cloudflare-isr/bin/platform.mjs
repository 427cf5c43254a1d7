/** The npm packages with the program `isr`: one for each platform, of which npm installs the machine's own. */

/** The platforms for which there is a package, as Node.js names them. */
export const PLATFORMS = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-x64"];

/** Returns the name of the package for a platform. */
export function packageFor(platform = process.platform, arch = process.arch) {
  return `@cloudflare-isr/cli-${platform}-${arch}`;
}

/** Returns the path of the program in its package. */
export function programIn(platform = process.platform) {
  return platform === "win32" ? "bin/isr.exe" : "bin/isr";
}
