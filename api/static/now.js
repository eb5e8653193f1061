// The view Now: the line of all or of one, or two and their difference; what changed; each subreddit on the same scale.

import { get } from "./calls.js";
import { chart } from "./chart.js";
import { bar } from "./chooser.js";
import { difference, differences } from "./difference.js";
import { element } from "./element.js";
import { isInUse, keeping } from "./kept.js";
import { multiples, waiting } from "./multiples.js";
import { shiftList } from "./shifts.js";
import { pair, parameters, windowWords } from "./state.js";
import { showDifference, showFeeling, showNothing } from "./verdict.js";
import { span } from "./words.js";

const TOP = 12;
const NOTE = "Net: positive minus negative, of 100 items. The band is where it lies with 95 % certainty.";
//: These move with every second; what they tell moves the points too.
const TIMES = new Set(["window", "timestamp"]);
const height = () => (innerWidth < 640 ? 170 : 240);

/** Show the view in `root`; return how it is updated. */
export function now(root) {
  let shown = null;
  let last = null;
  let turn = 0;

  async function update(state) {
    const mine = (turn += 1);
    const found = await ask(state);
    const isSame = shown === JSON.stringify(state);
    if (mine !== turn || (isSame && isInUse(root))) return;
    const said = JSON.stringify(state) + JSON.stringify([waiting(), found], (name, value) => (TIMES.has(name) ? undefined : value));
    if (said === last) return;
    shown = JSON.stringify(state);
    last = said;
    if (isSame) keeping(root, () => render(root, state, found));
    else render(root, state, found);
  }

  return { update, failed: (error, state) => {
    last = null;
    showNothing(error.message);
    if (shown === JSON.stringify(state)) return;
    shown = JSON.stringify(state);
    root.replaceChildren(bar(state), element("p", { class: "notice" }, error.message));
  } };
}

async function ask(state) {
  const when = parameters(state);
  const overview = await get("sentiment/overview", { ...when, top: TOP });
  const wanted = (pair(state) ?? [state.subreddit]).filter((name) => name && !line(overview.subreddits, name));
  const more = wanted.length ? (await get("sentiment/overview", { ...when, subreddits: wanted.join(",") })).subreddits : [];
  // Shifts explain; without them the view is still whole.
  const shifts = await get("sentiment/shifts", { ...when, top: TOP }).catch((error) => ({ shifts: [], failed: error.message }));
  return { overview, more, shifts };
}

const line = (lines, name) => lines.find((each) => each.subreddit.toLowerCase() === name.toLowerCase());

function render(root, state, { overview, more, shifts }) {
  const lines = [...overview.subreddits, ...more];
  const two = pair(state)?.map((name) => line(lines, name));
  const frame = { start: +new Date(overview.window.start), end: +new Date(overview.window.end), hours: overview.window.bucket_hours, height: height() };
  const shown = state.subreddit ? line(lines, state.subreddit) : overview.all;
  const among = numbered(shifts.shifts, state);
  const main = two?.every(Boolean) ? compared(two, frame, state, among) : alone(shown, frame, state, among);
  root.replaceChildren(
    bar(state),
    ...[staleness(overview.stale_seconds ?? shifts.stale_seconds), unread(overview)].filter(Boolean),
    element("section", { "aria-labelledby": "line" }, main),
    element("section", { "aria-labelledby": "shifts" }, shiftList(among, shifts, state)),
    element("section", { "aria-labelledby": "each" }, multiples(overview.subreddits, frame, state, among)),
  );
}

/** The newest first, each with the number that it has on the chart. */
function numbered(shifts, state) {
  const names = (pair(state) ?? [state.subreddit]).filter(Boolean).map((name) => name.toLowerCase());
  const isMeant = (shift) => !names.length || names.includes(shift.subreddit.toLowerCase());
  return shifts.filter(isMeant).sort((one, other) => new Date(other.at) - new Date(one.at)).map((shift, index) => ({ ...shift, number: index + 1 }));
}

const marks = (shifts) => shifts.map((shift) => ({ at: +new Date(shift.at), number: shift.number, label: `Shift ${shift.number}, r/${shift.subreddit}` }));

function alone(shown, frame, state, shifts) {
  if (shown?.statistics.total === 0) {
    showFeeling(shown, state);
    return [element("h2", { id: "line" }, "Net sentiment"), element("p", { class: "empty" }, "Nothing to draw: no item of this window is here.")];
  }
  if (!shown) {
    showNothing(`r/${state.subreddit} has no item in this window, or there is no such subreddit here.`);
    return [element("h2", { id: "line" }, "Net sentiment"), element("p", { class: "empty" }, "Nothing to draw.")];
  }
  showFeeling(shown, state);
  const title = `Net sentiment of ${state.subreddit ? `r/${shown.subreddit}` : "all subreddits"}, ${windowWords(state)}`;
  return [
    element("h2", { id: "line" }, "Net sentiment", element("small", {}, " with the number of items beneath")),
    chart({ ...frame, title, note: NOTE, hasVolume: true, marks: marks(shifts), lines: [{ name: shown.subreddit, points: shown.points, tone: "one" }] }),
  ];
}

function compared(two, frame, state, shifts) {
  const whole = difference(two[0], two[1]);
  showDifference(whole, state);
  const names = two.map((each) => `r/${each.subreddit}`);
  const title = `${names.join(" and ")}, ${windowWords(state)}`;
  const lines = two.map((each, index) => ({ name: names[index], points: each.points, tone: index ? "two" : "one" }));
  const between = { name: "difference", points: differences(two[0].points, two[1].points), tone: "one", isNamed: true };
  return [
    element("h2", { id: "line" }, element("span", { class: "key one" }, names[0]), " and ", element("span", { class: "key two" }, names[1])),
    chart({ ...frame, title, note: NOTE, hasVolume: true, marks: marks(shifts), lines }),
    element("h2", {}, "Their difference", element("small", {}, ` ${names[0]} minus ${names[1]}; where the band leaves out zero, it is more than chance`)),
    chart({ ...frame, height: frame.height * 0.6, title: `Difference of ${title}`, note: "Where a bucket has items of both.", lines: [between] }),
  ];
}

function staleness(seconds) {
  if (seconds === undefined) return null;
  return element("p", { class: "notice" }, `The store does not answer: this is what it said ${span(seconds)} ago.`);
}

function unread(overview) {
  const names = Object.keys(overview.unread ?? {});
  if (!names.length) return null;
  return element("p", { class: "notice" }, `Not read in the last collection: ${names.map((name) => `r/${name} (${overview.unread[name]})`).join(", ")}. What is missing of them is not zero.`);
}
