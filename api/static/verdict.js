// The lines at the top: how the communities feel, and whether what says so can be trusted.

import { CallFailed, health } from "./calls.js";
import { element, theirs } from "./element.js";
import { pair, windowWords } from "./state.js";
import { clock, counted, mood, points, span } from "./words.js";

//: From this net on, in the words of a reader. Chosen, not measured.
const LEVELS = [[0.4, "very positive"], [0.2, "positive"], [0.05, "slightly positive"], [-0.05, "balanced"], [-0.2, "slightly negative"], [-0.4, "negative"], [-Infinity, "very negative"]];
let reached = new Date();

const feels = (net) => LEVELS.find(([from]) => (from > 0 ? net >= from : net > from))[1];

/** Show how one line feels over the window. */
export function showFeeling(line, state) {
  const name = state.subreddit ? element("span", {}, "r/", theirs(line.subreddit)) : "The communities";
  const is = state.subreddit ? "is" : "are";
  const headline = line.net === null ? ["Nothing is known of ", state.subreddit ? name : "the communities", ` in ${windowWords(state)}`] : [name, ` ${is} `, element("span", { class: mood(line.net) }, feels(line.net))];
  replace(points(line.net), mood(line.net), headline, line.net === null ? "No item of this window is here: there is nothing to judge, which is not the same as silence." : `${counted(line.statistics.total, "item")} in ${windowWords(state)}; 95 % sure between ${points(line.net_low)} and ${points(line.net_high)}. ${changed(line, state)}.`);
  document.title = `${points(line.net)} ${state.subreddit ? `r/${line.subreddit}` : "SentimentAgent"}`;
}

/** Show how two differ. */
export function showDifference(difference, state) {
  const [one, other] = pair(state);
  const { net, net_low: low, net_high: high } = difference;
  const isReal = net !== null && (low > 0 || high < 0);
  const words = net === null ? " can\u2019t be compared with r/" : !isReal ? " feels like r/" : net > 0 ? " is more positive than r/" : " is more negative than r/";
  replace(points(net), isReal ? mood(net) : "neutral", [element("span", {}, "r/", theirs(one)), words, theirs(other)], net === null ? "One of them has no item in this window." : `Over ${windowWords(state)} their nets differ by ${points(net)} (95 % sure between ${points(low)} and ${points(high)})${isReal ? "" : ": chance alone explains that"}.`, "difference");
  document.title = `${one} and ${other}: SentimentAgent`;
}

/** Say that there is no figure, and why. */
export function showNothing(sentence) {
  replace("\u2013", "neutral", ["How the communities feel is not known"], sentence);
}

function changed(line, state) {
  if (line.difference === null || line.difference === undefined) return "There is nothing from before to compare it with";
  const before = state.window === "custom" ? "the time before" : windowWords(state).replace("the last ", "the ").concat(" before");
  const by = Math.round(Math.abs(line.difference) * 100);
  const how = by === 0 ? `As in ${before}` : `${line.difference > 0 ? "Up" : "Down"} ${by} on ${before}`;
  return `${how}, ${line.difference_is_real ? "more than chance explains" : "within what chance explains"}`;
}

function replace(figure, tone, headline, sentence, what = "net sentiment") {
  document.getElementById("feeling").replaceChildren(
    element("p", { class: `figure ${tone}` }, figure, element("span", {}, what)),
    element("div", {}, element("h1", {}, headline), element("p", {}, sentence)),
  );
}

/** Ask for the health and show whether the data can be trusted; return the health, or null. */
export async function showTrust() {
  try {
    const found = await health();
    reached = new Date();
    const notes = [...found.reasons, ...found.notes].map(sentence).filter((note) => !found.trust.sentence.toLowerCase().includes(note.toLowerCase()));
    trust(found.trust.level, found.trust.sentence, notes);
    return found;
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    trust("none", `${error.message} What is shown is from ${clock(reached)}, ${span((Date.now() - reached) / 1000)} ago.`, []);
    return null;
  }
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function trust(level, words, notes) {
  const place = document.getElementById("trust");
  place.className = `trust ${level}`;
  const list = notes.length ? element("details", { open: place.querySelector("details")?.open }, element("summary", {}, counted(notes.length, "note")), element("ul", {}, notes.map((note) => element("li", {}, note)))) : null;
  const said = element("span", {}, words);
  if (place.dataset.said === words + notes.join()) return;
  place.dataset.said = words + notes.join();
  place.replaceChildren(...[said, list].filter(Boolean));
}
