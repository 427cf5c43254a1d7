// The upper bound for every cache: a Worker that returns a constant. It has as many bytes as `BYTES` says.

let body;

const headers = { "content-type": "text/html; charset=utf-8", etag: '"constant"' };

export default {
  fetch(request, env) {
    if (request.headers.get("if-none-match") === headers.etag) return new Response(null, { status: 304, headers });
    body ??= new Uint8Array(env.BYTES).fill(120);
    return new Response(body, { headers });
  },
};
