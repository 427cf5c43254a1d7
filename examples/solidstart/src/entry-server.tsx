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
  // How a page is cached, and its status, must be known before its first byte is sent: so it is rendered as a whole.
  { mode: "async" },
);

const site = worker(handler);

export default site;

// Only for a site without the gateway in front: the cache renders by this entrypoint, since static assets stand before the default
// one, and the props of a binding get lost there.
export { site as Render };
