/** The project's main job, as the README tells it: start the demo, watch pages come from the cache, edit one. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { test } from "node:test";

import { newFolder, root, until, within } from "./harness.mjs";

const minutes = 60_000;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** Lists the processes of the group that `cargo xtask dev` was started in. */
async function groupOf(id) {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")));
  // After the name in parentheses: state, parent, group.
  return stats.filter((stat) => {
    const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === String(id) && state !== "Z";
  });
}

test("`cargo xtask dev` serves the demo site through the cache, and an edit shows at once", { timeout: 6 * minutes }, async (t) => {
  const port = await freePort();
  const folder = await newFolder();
  // In a group of its own, as a terminal does it: Ctrl-C goes to the whole group.
  const dev = spawn("cargo", ["xtask", "dev", "--port", String(port), "--persist-to", folder], {
    cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [dev.stdout, dev.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  t.after(() => {
    try {
      process.kill(-dev.pid, "SIGKILL");
    } catch {
      // All have ended.
    }
  });

  const visit = async (path, init) => {
    const response = await fetch(`http://localhost:${port}${path}`, {
      redirect: "manual", signal: AbortSignal.timeout(30_000), ...init,
    });
    return { status: response.status, headers: response.headers, isr: response.headers.get("x-isr-status"), text: await response.text() };
  };
  const first = await until("an answer of the demo", () => {
    assert.equal(dev.exitCode, null, output);
    return visit("/").catch(() => false);
  }, { timeout: 5 * minutes, every: 500 });
  const second = await visit("/");
  assert.deepEqual([first.status, first.isr, second.isr], [200, "MISS", "HIT"], output);
  assert.equal(second.text, first.text);

  assert.equal((await visit("/blog/fog-signal")).isr, "MISS");
  assert.equal((await visit("/blog/fog-signal")).isr, "HIT");
  const title = `Listening at ${Date.now()}`;
  const form = new URLSearchParams({ slug: "fog-signal", title, body: "Heard it again." });
  const saved = await visit("/editor", { method: "POST", body: form });
  assert.deepEqual([saved.status, saved.headers.get("location")], [303, "/blog/fog-signal"], saved.text);
  for (const path of ["/blog/fog-signal", "/"]) {
    const page = await visit(path);
    assert.equal(page.isr, "MISS", path);
    assert.ok(page.text.includes(title), path);
    assert.equal((await visit(path)).isr, "HIT", path);
  }

  process.kill(-dev.pid, "SIGINT");
  await within(30_000, dev.exitCode === null && dev.signalCode === null ? once(dev, "exit") : Promise.resolve());
  await until("the end of all its processes", async () => (await groupOf(dev.pid)).length === 0);
  await assert.rejects(visit("/"), "nobody listens any more");
});
