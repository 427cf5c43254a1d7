import type { IsrContext, IsrService } from "cloudflare-isr";
import type { Posts } from "#lib/posts";

declare global {
  namespace App {
    interface Platform {
      ctx: IsrContext;
      env: {
        GATEWAY: IsrService;
        POSTS: Posts;
      };
    }
  }
}
