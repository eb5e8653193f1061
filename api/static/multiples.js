// Each subreddit as a small picture: the same scale for all, the most talked about first; to focus, and to pick two.

import { drawn, element, theirs } from "./element.js";
import { coarser, linear, path, range, runs } from "./scale.js";
import { address, go, pair } from "./state.js";
import { count, counted, mood, points } from "./words.js";

const WIDTH = 240;
const HEIGHT = 64;
const VOLUME = 16;
const MOST = 32;
const HOUR = 3600000;
let picked = null;

/** Return the one that waits for another to be compared with, or null. */
export const waiting = () => picked;

/** Return the heading and the pictures. */
export function multiples(lines, frame, state, shifts) {
  if (!lines.length) return [element("h2", { id: "each" }, "By subreddit"), element("p", { class: "empty" }, "No subreddit has items in this window.")];
  const small = lines.map((line) => ({ line, ...coarser(line.points, frame.start, frame.end, frame.hours, MOST) }));
  const common = { y: range(small), most: Math.max(...small.flatMap((each) => each.points.map((point) => point.total))) };
  return [
    element("h2", { id: "each" }, "By subreddit", element("small", {}, " the same scale for all, most items first")),
    element("p", { id: "picking", class: "hint", role: "status" }, pickingWords(state)),
    element("ul", { class: "multiples" }, small.map((each) => card(each, frame, state, common, shifts.filter((shift) => shift.subreddit === each.line.subreddit)))),
  ];
}

function pickingWords(state) {
  if (pair(state)) return "Two are compared above.";
  return picked ? `r/${picked} is picked: pick another to compare it with.` : "Choose one to look at it alone, or compare two.";
}

function card(each, frame, state, common, shifts) {
  const { line } = each;
  const isFocus = state.subreddit.toLowerCase() === line.subreddit.toLowerCase();
  const isPicked = (pair(state) ?? [picked]).some((name) => name?.toLowerCase() === line.subreddit.toLowerCase());
  return element("li", { class: isFocus ? "chosen" : null },
    element("h3", {}, element("a", { href: address({ subreddit: isFocus ? "" : line.subreddit, compare: "" }), "data-within": true, "aria-current": isFocus ? "true" : null }, "r/", theirs(line.subreddit))),
    element("p", { class: "sums" }, element("strong", { class: mood(line.net) }, points(line.net)), " ", change(line), element("span", { class: "items" }, count(line.statistics.total))),
    picture(each, frame, common, shifts),
    element("button", { class: "pick", "aria-pressed": String(isPicked), onclick: () => pick(line.subreddit, state) }, "Compare", element("span", { class: "unseen" }, ` r/${line.subreddit}`)));
}

function change(line) {
  if (line.difference === null || line.difference === undefined || Math.round(line.difference * 100) === 0) return null;
  const words = `${line.difference > 0 ? "\u25b2" : "\u25bc"} ${Math.abs(Math.round(line.difference * 100))}`;
  const meaning = line.difference_is_real ? "more than chance explains" : "within what chance explains";
  return element("span", { class: `change ${line.difference_is_real ? mood(line.difference) : "chance"}`, title: `Against the window before: ${meaning}` }, words, element("span", { class: "unseen" }, `, ${meaning}`));
}

function pick(name, state) {
  const two = pair(state);
  if (two) {
    picked = two.find((each) => each.toLowerCase() !== name.toLowerCase());
    if (two.some((each) => each.toLowerCase() === name.toLowerCase())) return go({ compare: "" });
    [picked] = two;
  }
  if (picked === null) picked = name;
  else if (picked === name) picked = null;
  else {
    const compare = `${picked},${name}`;
    picked = null;
    return go({ compare });
  }
  return go({ compare: "" });
}

function picture({ line, points: merged, hours }, frame, common, shifts) {
  const x = linear([frame.start, frame.end], [0, WIDTH]);
  const y = linear(common.y, [HEIGHT - 2, 2]);
  const size = linear([0, common.most], [0, VOLUME]);
  const bottom = HEIGHT + 6 + VOLUME;
  const middle = (point) => Math.max(0, Math.min(WIDTH, x(+new Date(point.start) + (hours * HOUR) / 2)));
  const label = `r/${line.subreddit}: net ${points(line.net)} of ${counted(line.statistics.total, "item")}${shifts.length ? `, ${counted(shifts.length, "shift")}` : ""}`;
  return drawn("svg", { class: "small-chart", viewBox: `0 0 ${WIDTH} ${bottom}`, role: "img", "aria-label": label, preserveAspectRatio: "none" },
    drawn("line", { class: "zero", x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }),
    merged.map((point) => drawn("rect", { class: "bar", x: Math.max(0, x(+new Date(point.start))), y: bottom - size(point.total), width: Math.max(1, x(frame.start + hours * HOUR) - 1), height: size(point.total) })),
    shifts.map((shift) => drawn("line", { class: "shift", x1: x(+new Date(shift.at)), x2: x(+new Date(shift.at)), y1: 0, y2: HEIGHT })),
    runs(merged.map((point) => ({ ...point, start: new Date(point.start).toISOString() })), hours).map((run) => (run.length > 1 ? drawn("path", { class: "net", d: path(run, middle, y) }) : drawn("circle", { class: "alone", cx: middle(run[0]), cy: y(run[0].net), r: 1.8 }))));
}
