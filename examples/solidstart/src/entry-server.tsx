// @refresh reload
import { createHandler, StartServer } from "@solidjs/start/server";
import { worker } from "cloudflare-isr/solidstart";

const handler = createHandler(
  () => (
    <StartServer
      document={({ assets, children, scripts }) => (
        <html lang="en">
          <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width, initial-scale=1" />
            <title>Posts</title>
            {assets}
          </head>
          <body>
            <div id="app">{children}</div>
            {scripts}
          </body>
        </html>
      )}
    />
  ),
  // The caching headers and the status must be known before the first byte is sent. So the page is rendered completely.
  { mode: "async" },
);

const site = worker(handler);

export default site;

// Only for a site without the gateway in front: the cache renders through this entrypoint, because static assets are in front of
// the default one, and the props of a binding are lost there.
export { site as Render };
