/** The project's main task, as in the README: start the demo, watch pages come from the cache, edit one. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import { Server } from "../server.mjs";
import { newFolder, root, until, within } from "./harness.mjs";
import { visit } from "./program.mjs";

const minutes = 60_000;

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
  const folder = await newFolder();
  const dev = await Server.start("cargo", ["xtask", "dev", "--persist-to", folder], { cwd: root, folder, timeout: 5 * minutes });
  t.after(() => dev.kill());
  const ask = (path, init) => visit(dev, path, init);

  const first = await ask("/");
  const second = await ask("/");
  assert.deepEqual([first.status, first.isr, second.isr], [200, "MISS", "HIT"], dev.output);
  assert.equal(second.text, first.text);

  assert.equal((await ask("/blog/fog-signal")).isr, "MISS");
  assert.equal((await ask("/blog/fog-signal")).isr, "HIT");
  const title = `Listening at ${Date.now()}`;
  const form = new URLSearchParams({ slug: "fog-signal", title, body: "Heard it again." });
  const saved = await ask("/editor", { method: "POST", body: form });
  assert.deepEqual([saved.status, saved.headers.get("location")], [303, "/blog/fog-signal"], saved.text);
  for (const path of ["/blog/fog-signal", "/"]) {
    const page = await ask(path);
    assert.equal(page.isr, "MISS", path);
    assert.ok(page.text.includes(title), path);
    assert.equal((await ask(path)).isr, "HIT", path);
  }

  await within(30_000, dev.interrupt());
  await until("the end of all its processes", async () => (await groupOf(dev.group)).length === 0);
  await assert.rejects(ask("/"), "nobody listens any more");
});
