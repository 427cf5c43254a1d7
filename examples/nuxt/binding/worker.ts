import site from "../.output/server/index.mjs";

export default site;

// The cache renders by this entrypoint: static assets stand before the default one, and the props of a binding get lost there.
export { site as Render };
