export const dynamic = "force-dynamic";

export function GET(request) {
  return Response.json({ host: request.headers.get("x-forwarded-host") ?? request.headers.get("host"), method: "GET" }, { headers: { "cache-control": "private, no-cache" } });
}

export async function POST(request) {
  return Response.json({ received: await request.text() }, { status: 201 });
}
