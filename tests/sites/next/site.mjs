/** The site in this folder, as `next build` has built it, in a process of its own. */
import path from "node:path";

import { freePort, here, serve } from "../programs.mjs";

/**
 * Starts the site.
 * @param {{ gateway: string, adminToken: string }} options what the recipe's file needs
 */
export async function startNext({ gateway, adminToken }) {
  const cwd = path.join(here, "next");
  const port = await freePort();
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", ISR_GATEWAY: gateway, ISR_ADMIN_TOKEN: adminToken };
  const program = path.join(cwd, "node_modules/next/dist/bin/next");
  const server = await serve(process.execPath, [program, "start", "--port", `${port}`, "--hostname", "127.0.0.1"], { port, cwd, env });
  return { address: `http://127.0.0.1:${port}`, log: async () => server.output.slice(-3000) };
}
