export default {
  poweredByHeader: true,
  async redirects() {
    return [
      { source: "/old", destination: "/", permanent: true },
      { source: "/moved/:slug", destination: "/blog/:slug", permanent: false },
    ];
  },
  turbopack: { root: import.meta.dirname },
};
