/** Wagtail, a CMS of Django, served by gunicorn, in a folder of its own. */
import { cp, mkdir } from "node:fs/promises";
import path from "node:path";

import { freePort, here, run, serve, siteFolder, variable } from "../programs.mjs";

const recipe = path.join(here, "../../docs/recipes/django");

/**
 * Starts the site, filled by fill.py.
 * @param {{ gateway: string, adminToken: string, bypassToken: string }} options what the recipe's files need
 */
export async function startWagtail({ gateway, adminToken, bypassToken }) {
  const cwd = path.join(await siteFolder(), "project");
  await cp(path.join(here, "wagtail/project"), cwd, { recursive: true });
  await cp(path.join(recipe, "cloudflare_isr.py"), path.join(cwd, "cloudflare_isr.py"));
  await cp(path.join(recipe, "behind_gateway.py"), path.join(cwd, "project/behind_gateway.py"));
  await mkdir(path.join(cwd, "media"));
  const python = variable("ISR_SITES_PYTHON");
  await run(python, ["fill.py"], { cwd });
  const port = await freePort();
  const env = { ...process.env, HOME: cwd, ISR_GATEWAY: gateway, ISR_ADMIN_TOKEN: adminToken, ISR_BYPASS_TOKEN: bypassToken };
  const args = ["-m", "gunicorn", "project.wsgi", "--bind", `127.0.0.1:${port}`, "--workers", "2", "--threads", "4", "--capture-output"];
  const server = await serve(python, args, { port, cwd, env });
  return { address: `http://127.0.0.1:${port}`, log: async () => server.output.slice(-3000) };
}
