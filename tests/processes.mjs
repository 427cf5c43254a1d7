/** The processes that a test has started, and their memory. */
import { readdirSync, readFileSync } from "node:fs";

/** The processes that this one has started. None where there is no `/proc`. */
export function processes() {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && parentOf(name) === process.pid);
  } catch {
    return [];
  }
}

/** The resident memory of processes in MiB, or `undefined` without any. */
export function memoryOf(pids) {
  const kib = pids.map((pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
  return kib.length === 0 ? undefined : Math.round(kib.reduce((sum, one) => sum + one, 0) / 1024);
}

function parentOf(pid) {
  try {
    // The name, in parentheses, may hold blanks.
    return Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[1]);
  } catch {
    return undefined;
  }
}
