// What changed beyond chance, and what drove it: the words that are said more or less, and the posts.

import { element, opening, outward, theirs } from "./element.js";
import { address } from "./state.js";
import { counted, mood, moment, points, signed, start, timed } from "./words.js";

const WORDS = 6;
const SHOWN = 5;

/** Return the heading and the list. */
export function shiftList(shifts, answer, state) {
  const heading = element("h2", { id: "shifts" }, "What changed", element("small", {}, " more than chance explains"));
  if (answer.failed) return [heading, element("p", { class: "empty" }, `What changed is not known: ${answer.failed}`)];
  if (!shifts.length) return [heading, element("p", { class: "empty" }, "Nothing in this window shifted by more than chance would.")];
  const rest = shifts.slice(SHOWN);
  return [
    heading,
    element("ol", { class: "shifts" }, shifts.slice(0, SHOWN).map((shift) => oneShift(shift, state))),
    rest.length ? opening(`${counted(rest.length, "earlier shift")}`, () => element("ol", { class: "shifts" }, rest.map((shift) => oneShift(shift, state)))) : null,
  ].filter(Boolean);
}

function oneShift(shift, state) {
  const by = Math.round(Math.abs(shift.difference) * 100);
  const isAll = shift.subreddit === "all";
  const name = isAll ? "All subreddits" : element("a", { href: address({ subreddit: shift.subreddit, compare: "" }, state), "data-within": true }, "r/", theirs(shift.subreddit));
  return element("li", {},
    element("span", { class: "number-mark", "aria-hidden": "true" }, String(shift.number)),
    element("div", {},
      element("h3", {}, name, shift.difference > 0 ? " rose by " : " fell by ", element("span", { class: mood(shift.difference) }, String(by)), element("small", {}, " ", timed(shift.at, moment), `, from ${points(shift.before.net)} to ${points(shift.after.net)}, ${chance(shift.p_value)}`)),
      words(shift.words),
      shift.posts?.length ? opening(`${counted(shift.posts.length, "post")} behind it`, () => element("ul", { class: "behind" }, shift.posts.map(post))) : null));
}

function chance(value) {
  return value < 0.001 ? "chance below 1 in 1,000" : `chance ${(value * 100).toFixed(1)} %`;
}

function words(found) {
  if (!found?.length) return null;
  const told = (word) => (word.after > word.before ? "said more" : "said less");
  return element("p", { class: "drivers" }, found.slice(0, WORDS).map((word) => element("span", { class: `driver ${word.after > word.before ? "rising" : "falling"}`, title: `${told(word)}: before ${word.before}, after ${word.after}` }, word.after > word.before ? "\u2191 " : "\u2193 ", theirs(word.word), element("span", { class: "unseen" }, ` ${told(word)} `))));
}

function post(each) {
  return element("li", {}, element("span", { class: `number ${each.sentiment}` }, signed(each.compound_score)), " ", outward(each.url, theirs(start(each.title || each.content, 200) || "(no text)")));
}
