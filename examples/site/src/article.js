import { html } from "./html.js";

/**
 * The text of /article: a keeper's log, day by day. It is generated so that the
 * page can be as long as a benchmark wants it, yet reads like a page; the same
 * on every render, because the random numbers start from a fixed seed.
 */

const monthFormat = new Intl.DateTimeFormat("en-GB", { month: "long", timeZone: "UTC" });

const words = /** @type {Record<string, string[]>} */ ({
  wind: ["north", "north-west", "west", "south-west", "south", "south-east", "east", "north-east"],
  force: ["1", "2", "3", "4", "5", "6", "7", "8"],
  trend: ["falling by noon", "rising after dark", "steady all day", "backing at dusk", "gusting on the hour", "gone by evening"],
  sky: ["Clear", "Overcast", "Haze to seaward", "Low cloud on the hills", "Showers", "Thin high cloud", "Drizzle", "Fog until nine", "Bright and cold"],
  kind: ["brig", "schooner", "steamer", "collier", "ketch", "barque", "trawler", "mail packet"],
  ship: ["Hesper", "Annie Laird", "Good Intent", "Maud", "Northern Lass", "Perseverance", "Sula", "Cormorant", "Two Brothers", "Elspeth", "Tern", "Fidelity"],
  cargo: ["timber", "coal", "slates", "herring in barrels", "salt", "mixed goods", "seed potatoes", "granite setts"],
  person: ["Mr Aird", "the second keeper", "young Tam", "Mrs Aird", "the boatman", "the inspector", "the carpenter", "the doctor's boy"],
  part: ["the clockwork", "the lower gallery rail", "the lantern door", "the oil pump", "the landing crane", "the barometer case", "the speaking tube", "the weight chain", "the storm shutter"],
  bird: ["a heron", "two curlews", "a party of turnstones", "a peregrine", "some forty eiders", "a lost pigeon with a ring on its leg", "a wren blown in from the mainland", "a snow bunting"],
  food: ["a sack of oats", "six loaves", "a side of bacon", "a cask of herring", "onions and dried peas", "tea, sugar and hard biscuit", "salt pork and barley"],
  hour: ["half past four", "six", "ten to eight", "noon", "two in the afternoon", "a little after five", "nine in the evening", "midnight", "three in the morning"],
});

const events = [
  "The {kind} {ship} passed at {hour}, laden with {cargo}, and dipped her flag",
  "Spent the forenoon on {part}, with {person} to hold the other end",
  "The boat brought {food}; {person} came out with it and stayed until the tide turned",
  "Saw {bird} on the rocks below the door at {hour}",
  "Took {part} apart, cleaned it, and put it together with one screw to spare",
  "The {ship}, a {kind}, lay hove to off the point from {hour}, waiting for water over the bar",
  "Looked for the relief from {hour}, in vain; supper made of {food}, the last of it",
  "Found {part} wet through after the night's spray and dried it before the stove",
  "Whitewashed the stair wall as far as the third window, {person} mixing",
  "{person} reported a light to the {wind} at {hour}; it was the {kind} {ship} with a lamp at her masthead",
  "Wound the clock every forty minutes through the night and wrote to the Board about {part}",
  "The {kind} {ship} asked by flags for the time and for news; gave her both, as far as we had them",
  "Heavy seas over the landing from {hour}; two stanchions bent and {food} lost from the store",
  "Counted {bird} among the day's visitors, which {person} would not believe",
  "Trimmed the wicks at {hour} and again before dawn, the flame smoking a little in the draught",
  "Picked up a plank marked {ship}, and hope that the {kind} of that name only lost her hatch cover",
  "{person} measured {part} for a new fitting and promised it before the month is out",
  "A quiet day, given to mending: first {part}, then boots",
];

const closings = [
  "Light lit at sunset, put out at sunrise.",
  "Barometer low, and everyone's temper with it.",
  "All well.",
  "Oil used: two gallons and a half.",
  "Read aloud until the watch changed.",
  "The stairs counted again for {person}'s sake: 142.",
  "Nothing more to set down.",
  "The lens polished and the brass left for tomorrow.",
  "Slept badly for the noise of the sea in the gully.",
  "Glass rising.",
  "Watch handed over at {hour} with nothing in sight.",
  "Stars as thick as meal, and no moon.",
];

/**
 * The log's days, as many as fit into a page of the wanted size.
 * @param {number} bytes
 */
export function keepersLog(bytes) {
  const pick = picker(1911);
  const parts = [];
  let length = 0;
  for (let day = 1; ; day++) {
    const date = new Date(Date.UTC(1911, 0, day));
    const month = monthFormat.format(date);
    const entry = html`${date.getUTCDate() === 1 && html`<h2>${month}</h2>\n`}<p><strong>${date.getUTCDate()} ${month}.</strong> ${write(pick)}</p>\n`;
    length += entry.text.length;
    if (length > bytes) return parts;
    parts.push(entry);
  }
}

/** @param {(list: string[]) => string} pick */
function write(pick) {
  const text = `{sky}; wind {wind}, force {force}, {trend}. ${pick(events)}. ${pick(events)}. ${pick(closings)}`;
  return text
    .replace(/\{(\w+)\}/g, (_, word) => pick(words[word]))
    .replace(/(^|\. )([a-z])/g, (_, before, letter) => before + letter.toUpperCase());
}

/**
 * Picks from lists like cards from a shuffled pack: nothing comes twice before
 * everything has come once.
 * @param {number} seed
 */
function picker(seed) {
  let state = seed;
  const random = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  /** @type {Map<string[], string[]>} */
  const packs = new Map();
  /** @param {string[]} list */
  return (list) => {
    let pack = packs.get(list);
    if (!pack?.length) packs.set(list, (pack = [...list]));
    return pack.splice(Math.floor(random() * pack.length), 1)[0];
  };
}
