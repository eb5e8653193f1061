// The memory of one process over time: what it held, its thresholds, and where it is heading.

import { drawn } from "./element.js";
import { linear, runs, timeTicks } from "./scale.js";
import { clock, span } from "./words.js";

const WIDTH = 420;
const HEIGHT = 96;
const RIGHT = 46;
const AXIS = 18;
const HOUR_S = 3600;

/** Return the picture. A forecast is drawn as far ahead as a quarter of the time that is looked back at. */
export function memoryPicture(name, process, found) {
  const end = +new Date(found.timestamp);
  const start = end - found.hours * HOUR_S * 1000;
  const ahead = process.forecast && Math.abs(process.forecast.slope_mb_per_h) >= 1 ? (end - start) / 4 : 0;
  const x = linear([start, end + ahead], [0, WIDTH - RIGHT]);
  const highest = Math.max(process.memory_limit_mb, ...process.memory.map((each) => each.highest_mb));
  const y = linear([0, highest * 1.06], [HEIGHT, 4]);
  return drawn("svg", { class: "memory-chart", viewBox: `0 0 ${WIDTH} ${HEIGHT + AXIS}`, role: "img", "aria-label": summary(name, process, found) },
    threshold("warning", process.memory_warning_mb, y),
    threshold("limit", process.memory_limit_mb, y),
    ticked(start, end, x),
    runs(process.memory.map((each) => ({ ...each, start: each.at, net: each.highest_mb })), found.memory_every_s / HOUR_S).map((run) => area(run, x, y)),
    ahead ? course(process, end, ahead, x, y) : null);
}

function area(run, x, y) {
  const at = (each) => x(+new Date(each.at)).toFixed(1);
  const top = run.map((each) => `${at(each)},${y(each.highest_mb).toFixed(1)}`);
  const below = [...run].reverse().map((each) => `${at(each)},${y(each.lowest_mb).toFixed(1)}`);
  return [
    drawn("path", { class: "held", d: `M${top.join("L")}L${at(run.at(-1))},${HEIGHT}L${at(run[0])},${HEIGHT}Z` }),
    drawn("path", { class: "between", d: `M${top.join("L")}L${below.join("L")}Z` }),
    run.length === 1 ? drawn("circle", { class: "alone", cx: at(run[0]), cy: y(run[0].highest_mb), r: 2 }) : drawn("path", { class: "net", d: `M${top.join("L")}` }),
  ];
}

function threshold(kind, value, y) {
  return drawn("g", { class: `threshold ${kind}` },
    drawn("line", { x1: 0, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
    drawn("text", { x: WIDTH - RIGHT + 4, y: y(value), dy: kind === "limit" ? "0.1em" : "0.7em" }, `${Math.round(value)} MB`));
}

function ticked(start, end, x) {
  return drawn("g", { class: "times" }, drawn("line", { class: "level", x1: 0, x2: WIDTH - RIGHT, y1: HEIGHT, y2: HEIGHT }), timeTicks(start, end, 6).times.map((time) =>
    drawn("text", { x: x(+time), y: HEIGHT + 14, "text-anchor": x(+time) < 20 ? "start" : "middle" }, clock(time))));
}

/** The straight line that the forecast is, cut where it leaves the picture. */
function course(process, end, ahead, x, y) {
  const from = process.memory_mb ?? process.memory.at(-1).highest_mb;
  const { slope_mb_per_h: slope, limit_reached_in_s: within } = process.forecast;
  const until = within === null ? ahead : Math.min(ahead, within * 1000);
  const to = Math.max(0, from + (slope * until) / 3600000);
  return drawn("line", { class: "course", x1: x(end), y1: y(from), x2: x(end + until), y2: y(to) });
}

function summary(name, process, found) {
  const highest = Math.round(Math.max(...process.memory.map((each) => each.highest_mb)));
  const reached = process.forecast?.limit_reached_in_s;
  return `Memory of ${name} in the last ${found.hours} hours: at most ${highest} MB; warning above ${process.memory_warning_mb} MB, limit ${process.memory_limit_mb} MB${reached === null || reached === undefined ? "" : `, reached in ${span(reached)} at this pace`}.`;
}
