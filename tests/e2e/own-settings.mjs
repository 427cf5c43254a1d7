/**
 * The gateway, with objects that have settings of their own: `ISR_OF` maps an object's name, `coordinators` or `tag-indexes` to
 * the variable `ISR` of these objects. A gradual deployment has the same effect: it runs each object with one of two versions.
 *
 * Only the variable differs; the gateway and its objects are the deployed ones.
 */
import Gateway, { IsrCoordinator as Coordinator, IsrTagIndex as TagIndex } from "../../build/entry.js";

const own = (ctx, env, kind) => {
  const ISR = env.ISR_OF[ctx.id.name] ?? env.ISR_OF[kind] ?? env.ISR;
  return { ...env, ISR };
};

export class IsrCoordinator extends Coordinator {
  constructor(ctx, env) {
    super(ctx, own(ctx, env, "coordinators"));
  }
}

export class IsrTagIndex extends TagIndex {
  constructor(ctx, env) {
    super(ctx, own(ctx, env, "tag-indexes"));
  }
}

export default Gateway;
