// What the adapters use of frameworks, which are no dependencies of this package: each comes with the site that has it.

declare module "h3" {
  interface H3EventContext {}
}

declare module "solid-js/web" {
  function getRequestEvent(): { locals: object } | undefined;
}
