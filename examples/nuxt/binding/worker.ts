import site from "../.output/server/index.mjs";

export default site;

// The cache renders through this entrypoint: static assets are in front of the default one, and the props of a binding are lost there.
export { site as Render };
