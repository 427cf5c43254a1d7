/** The site's content, in the memory of its server. */
const store = (globalThis.store ??= { titles: { first: "The first post", second: "The second post", "лампа": "Лампа" }, entries: [] });

export default store;
