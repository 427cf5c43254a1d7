/** Answers an API call. */
export function json(value: unknown, status = 200): Response {
  return Response.json(value, { status });
}

/** Reads a body that has to be a JSON object; `null` if it is none. */
export async function readObject(request: Request): Promise<Record<string, unknown> | null> {
  const body: unknown = await request.json().catch(() => null);
  return typeof body === "object" && body !== null && !Array.isArray(body) ? { ...body } : null;
}
