/** The language of a page by likely subtags: a region implies a script, and a language its usual script and region. */
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { gatewayFor, originOf } from "./origin.mjs";

const lists = {
  "/chinese/*": ["en", "zh-Hant", "zh-Hans"],
  "/chinese-reversed/*": ["en", "zh-Hans", "zh-Hant"],
  "/serbian/*": ["en", "sr-Cyrl", "sr-Latn"],
  "/portuguese/*": ["en", "pt-PT", "pt-BR"],
  "/hebrew/*": ["en", "he"],
};
let isr;

before(async () => {
  const origin = await originOf(({ headers }, response) => response.end(`in ${headers["accept-language"]}`));
  const routes = Object.fromEntries(Object.entries(lists).map(([pattern, language]) => [pattern, { vary: { language } }]));
  isr = await gatewayFor(origin, { routes });
});

for (const [folder, accept, expected] of [
  ["chinese", "zh-CN,zh;q=0.9", "zh-Hans"],
  ["chinese-reversed", "zh-CN,zh;q=0.9", "zh-Hans"],
  ["chinese", "zh-TW", "zh-Hant"],
  ["chinese-reversed", "zh-TW", "zh-Hant"],
  ["chinese-reversed", "zh-HK,zh;q=0.9,en;q=0.8", "zh-Hant"],
  ["serbian", "sr-ME,en;q=0.5", "sr-Latn"],
  ["serbian", "sr,en;q=0.5", "sr-Cyrl"],
  ["portuguese", "pt,en;q=0.5", "pt-BR"],
  ["portuguese", "pt-PT,pt;q=0.9", "pt-PT"],
  ["hebrew", "iw,en;q=0.5", "he"],
  ["hebrew", "fr", "en"],
]) {
  test(`${folder}: ${accept} is served ${expected}`, async () => {
    const path = `/${folder}/${encodeURIComponent(accept)}`;
    for (const outcome of ["MISS", "HIT"]) {
      const answer = await isr.fetch(path, { headers: { "accept-language": accept } });
      assert.deepEqual([answer.isr, answer.text], [outcome, `in ${expected}`]);
    }
  });
}
