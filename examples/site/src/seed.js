/** @type {import("./store.js").Post[]} The posts that a new store starts with. */
export const seedPosts = [
  {
    slug: "a-new-lamp",
    title: "A new lamp for the old tower",
    summary: "After 31 years the halogen bulb is gone. What an LED changes, and what it doesn't.",
    published: "2026-10-29",
    body: `The old lamp was a 1,000 watt halogen bulb, and it had a twin beside it on a swinging arm. When one failed, the arm turned and the twin took over, usually at night and always with a clank that woke whoever was asleep below. In 31 years we carried up some eighty bulbs.

The new lamp is an LED the size of a jam jar. It draws 66 watts and is expected to outlive the batteries, the wiring and probably us. The lens around it is the one from 1887: nobody has made a better one, and the new light had to be built to sit exactly where the old flame did.

From the sea nothing has changed, which was the point. One white flash every twelve seconds, visible for nineteen miles. Only close by can you tell: the beam is a little bluer, and on a hazy night its edge is so sharp that it looks cut with scissors.

We kept one of the bulbs. It stands on the kitchen window sill, and visitors take it for a vase.`,
  },
  {
    slug: "winter-stores",
    title: "What we carry up 142 steps before winter",
    summary: "The supply boat comes until mid-November. After that it comes when it can.",
    published: "2026-10-11",
    body: `From the middle of November the landing is closed more often than it is open. So every October we make a list, and then we carry the list up the stairs, one crate at a time.

Flour, oats, rice, lentils, two cheeses in wax, coffee for two people for ninety days. Lamp oil for the rooms, because the generator is for the light and not for reading. Forty litres of paint: white for the tower, red for the gallery, and a small tin of black for the numbers over the door. Rope. There is never enough rope.

The things that people forget are the small ones. Matches, needles, a second tin opener. Last winter a single washer, worth less than a stamp, kept the kitchen tap running into a bucket for five weeks.

We weigh what we carry, for no good reason other than that the keepers before us did. This year: 1,318 kilograms, in 87 trips. Nobody slept badly that week.`,
  },
  {
    slug: "fog-signal",
    title: "Listening to the fog signal again",
    summary: "Silent since 1988, sounded once a year. This time we recorded it from two miles out.",
    published: "2026-09-20",
    body: `The fog signal on the north side has been out of service since 1988. Ships have radar, and the people in the village across the sound were happy to sleep through foggy nights. But the compressor still turns, and once a year we run it, to keep the seals from drying out.

It takes twenty minutes to build up pressure. Then you pull a lever that is worn bright by a hundred years of hands, and for three seconds the whole rock hums. You don't so much hear it as stand in it.

This year a friend took a recorder out in a small boat. Two miles off, with the wind behind it, the note arrives clean and low, nine and a half seconds after the steam shows at the horn. We counted, and then we did the sum: the speed of sound, measured with a boat, a stopwatch and a very large trumpet.

The recording is in the archive in the village. We have been asked not to use it as a ringtone.`,
  },
  {
    slug: "counting-birds",
    title: "Counting birds from the gallery",
    summary: "Four nights, one clicker and 2,940 redwings. How the autumn count is done.",
    published: "2026-09-04",
    body: `On clear nights birds cross the sound high up, and we never know of it. On overcast nights with a little drizzle they come down to the light, and then we count them.

The method is old and simple. One person stands on the gallery on the side away from the wind and looks along the beam. Each time the beam passes, you click once for every bird that you see in it. After ten minutes you write the number down and change places. Later somebody on the mainland turns the clicks into an estimate, with a formula that takes in the width of the beam and the speed of a tired redwing.

This September we had four such nights. The best was the second: 2,940 clicks between midnight and three, nearly all of them redwings, and among them one owl, which had come for the redwings.

By dawn they are gone again. The light is shaded on the landward side now, so that few of them hit the tower; in the old log books that used to be the first entry of every autumn morning.`,
  },
];
