/**
 * Invalidates pages in the gateway, after Next.js's own `revalidatePath`. Call it in server actions and route
 * handlers.
 * @param {...{ path?: string, tag?: string, prefix?: string, everything?: true }} targets what changed
 */
export async function invalidate(...targets) {
  const { ISR_GATEWAY, ISR_ADMIN_TOKEN } = process.env;
  for (const target of targets) {
    const answer = await fetch(`${ISR_GATEWAY}/__isr/revalidate`, {
      method: "POST",
      headers: { authorization: `Bearer ${ISR_ADMIN_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(target),
      cache: "no-store",
    });
    if (!answer.ok) throw new Error(`the page was not invalidated: ${answer.status} ${await answer.text()}`);
  }
}
