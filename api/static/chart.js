// The chart of nets over time: lines with their bands, the volume beneath, shifts marked. A picture that follows the width of
// its place, with the figures of one bucket told in words above it, by pointer or arrow keys, and all of them in a table.

import { drawn, element, opening, table } from "./element.js";
import { band, linear, path, range, runs, ticks, timeTicks } from "./scale.js";
import { DASH, bucket, clock, count, counted, day, points as inPoints } from "./words.js";

const LEFT = 40;
const RIGHT = 8;
const TOP = 22;
const AXIS = 24;
const VOLUME = 46;
const GAP = 20;
const MARK = 18;
const HOUR = 3600000;
let clips = 0;

/**
 * Return a figure. `spec`: `title`, `lines` [{name, points, tone}], `start`, `end` (ms), `hours` of a bucket, `height` of the
 * lines, `marks` [{at, number, label}], `hasVolume`, and `note`, what the words above say while no bucket is looked at.
 */
export function chart(spec) {
  const readout = element("p", { class: "readout" }, spec.note);
  const place = element("div", { class: "drawing" });
  const figure = element("figure", { class: "chart" }, readout, place, opening("Figures as a table", () => asTable(spec), { class: "figures-table" }));
  // Its room is kept, so that nothing below jumps when it is drawn.
  place.style.minBlockSize = `${tall(spec)}px`;
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now === width || now < 50) return;
    width = now;
    place.replaceChildren(picture(spec, width, readout));
  }).observe(place);
  return figure;
}

const tall = (spec) => TOP + spec.height + (spec.hasVolume ? GAP + VOLUME : 0) + AXIS;

function picture(spec, width, readout) {
  const volume = spec.hasVolume ? GAP + VOLUME : 0;
  const bottom = TOP + spec.height;
  const height = tall(spec);
  const at = linear([spec.start, spec.end], [LEFT, width - RIGHT]);
  const middle = (point) => at(Math.min(spec.end, Math.max(spec.start, +new Date(point.start) + (spec.hours * HOUR) / 2)));
  const y = linear(range(spec.lines), [bottom, TOP]);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "net-chart" });
  const clip = `clip-${(clips += 1)}`;
  svg.append(
    drawn("clipPath", { id: clip }, drawn("rect", { x: LEFT, y: TOP, width: width - LEFT - RIGHT, height: spec.height })),
    levels(spec, width, y),
    times(spec, width, at, bottom + volume),
    ...(spec.hasVolume ? [bars(spec, at, bottom + volume)] : []),
    ...spec.lines.map((line) => oneLine(line, spec.hours, middle, y, clip)),
    marks(spec, at, bottom + volume),
  );
  explorable(svg, spec, { middle, y, readout, bottom: bottom + volume });
  return svg;
}

function levels(spec, width, y) {
  return drawn("g", { class: "levels" }, ticks(...range(spec.lines), spec.height / 36).map((value) => [
    drawn("line", { class: Math.abs(value) < 1e-9 ? "zero" : "level", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
    drawn("text", { x: LEFT - 8, y: y(value), dy: "0.32em", "text-anchor": "end" }, inPoints(value)),
  ]));
}

function times(spec, width, at, bottom) {
  const { times: found, areDays } = timeTicks(spec.start, spec.end, (width - LEFT) / (areDaysIn(spec) ? 84 : 64));
  return drawn("g", { class: "times" }, found.map((time) => [
    drawn("line", { class: "tick", x1: at(time), x2: at(time), y1: bottom, y2: bottom + 5 }),
    at(time) > width - 34 ? null : drawn("text", { x: at(time), y: bottom + 18, "text-anchor": at(time) < LEFT + 20 ? "start" : "middle" }, areDays || time.getHours() === 0 ? day(time) : clock(time)),
  ]));
}

const areDaysIn = (spec) => spec.end - spec.start > 60 * HOUR;

function bars(spec, at, bottom) {
  const most = Math.max(1, ...spec.lines.flatMap((line) => line.points.map((point) => point.total)));
  const size = linear([0, most], [0, VOLUME]);
  const isOne = spec.lines.length === 1;
  const parts = isOne ? ["negative", "neutral", "positive"] : ["total"];
  return drawn("g", { class: "volume" }, spec.lines.map((line, index) => line.points.map((point) => {
    const from = Math.max(spec.start, +new Date(point.start));
    const whole = Math.max(1.5, at(Math.min(spec.end, +new Date(point.start) + spec.hours * HOUR)) - at(from));
    const gap = whole > 6 ? 1.5 : whole > 3 ? 0.75 : 0;
    const one = (whole - gap) / spec.lines.length;
    let top = bottom;
    return parts.map((part) => {
      top -= size(point[part]);
      return drawn("rect", { class: isOne ? `bar ${part}` : `bar ${line.tone}`, x: at(from) + gap / 2 + index * one, y: top, width: one, height: size(point[part]) });
    });
  }).flat()), drawn("text", { x: LEFT - 8, y: bottom - VOLUME + 8, "text-anchor": "end" }, count(most)), drawn("line", { class: "level", x1: LEFT, x2: at(spec.end), y1: bottom, y2: bottom }));
}

function oneLine(line, hours, x, y, clip) {
  return drawn("g", { class: `line ${line.tone}`, "clip-path": `url(#${clip})` }, runs(line.points, hours).map((run) => [
    drawn("path", { class: "band", d: band(run, x, y) }),
    run.length > 1 ? drawn("path", { class: "net", d: path(run, x, y) }) : drawn("circle", { class: "alone", cx: x(run[0]), cy: y(run[0].net), r: 2.5 }),
  ]));
}

/** Draw the marks; those that would lie on each other share a label. */
function marks(spec, at, bottom) {
  const groups = [];
  for (const mark of [...(spec.marks ?? [])].sort((one, other) => one.at - other.at)) {
    if (groups.length && at(mark.at) - at(groups.at(-1)[0].at) < MARK * (groups.at(-1).length + 1)) groups.at(-1).push(mark);
    else groups.push([mark]);
  }
  return drawn("g", { class: "marks" }, groups.map((group) => {
    const numbers = group.map((mark) => mark.number).sort((one, other) => one - other);
    const width = MARK + 17 * (group.length - 1);
    return drawn("g", {},
      drawn("title", {}, group.map((mark) => mark.label).join("; ")),
      group.map((mark) => drawn("line", { x1: at(mark.at), x2: at(mark.at), y1: TOP - 4, y2: bottom })),
      drawn("rect", { x: at(group[0].at) - width / 2, y: TOP - 20, width, height: MARK, rx: MARK / 2 }),
      drawn("text", { x: at(group[0].at), y: TOP - 11, dy: "0.34em", "text-anchor": "middle" }, numbers.join(" \u00b7 ")));
  }));
}

/** Let pointer and arrow keys choose a bucket; to a screen reader the chart is a slider over its buckets. */
function explorable(svg, spec, { middle, y, readout, bottom }) {
  const starts = [...new Set(spec.lines.flatMap((line) => line.points.map((point) => +new Date(point.start))))].sort((one, other) => one - other);
  if (!starts.length) {
    for (const [name, value] of Object.entries({ role: "img", "aria-label": `${spec.title}: no items in this window.` })) svg.setAttribute(name, value);
    return;
  }
  const cursor = drawn("g", { class: "cursor" });
  svg.append(cursor);
  let chosen = starts.length - 1;
  const said = { role: "slider", tabindex: "0", "aria-label": `${spec.title}. Arrow keys go through time.`, "aria-valuemin": "0", "aria-valuemax": starts.length - 1 };
  for (const [name, value] of Object.entries(said)) svg.setAttribute(name, value);
  const choose = (index, isShown = true) => {
    chosen = Math.max(0, Math.min(starts.length - 1, index));
    const start = starts[chosen];
    const words = told(spec, start);
    svg.setAttribute("aria-valuenow", chosen);
    svg.setAttribute("aria-valuetext", words);
    if (!isShown) return;
    readout.textContent = words;
    const x = middle({ start });
    const found = spec.lines.map((line) => [line, at(line, start)]).filter(([, point]) => point && point.net !== null);
    cursor.replaceChildren(
      drawn("line", { x1: x, x2: x, y1: TOP, y2: bottom }),
      ...found.map(([line, point]) => drawn("circle", { class: line.tone, cx: x, cy: y(point.net), r: 4 })),
    );
  };
  const leave = () => {
    readout.textContent = spec.note;
    cursor.replaceChildren();
  };
  choose(chosen, false);
  svg.addEventListener("pointermove", (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left;
    const distance = (start) => Math.abs(middle({ start }) - x);
    choose(starts.reduce((best, start, index) => (distance(start) < distance(starts[best]) ? index : best), 0));
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && choose(chosen));
  svg.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, ArrowDown: chosen - 1, ArrowUp: chosen + 1, Home: 0, End: starts.length - 1, PageUp: chosen - 10, PageDown: chosen + 10 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  });
}

const at = (line, start) => line.points.find((point) => +new Date(point.start) === start);

function told(spec, start) {
  const parts = spec.lines.map((line) => {
    const point = at(line, start);
    const name = spec.lines.length > 1 || line.isNamed ? `${line.name} ` : "net ";
    if (!point || point.net === null) return `${name}${DASH}`;
    const between = `(${inPoints(point.net_low)} to ${inPoints(point.net_high)})`;
    return `${name}${inPoints(point.net)} ${between}${point.total === undefined ? "" : `, ${counted(point.total, "item")}`}`;
  });
  return `${bucket(start, spec.hours)}: ${parts.join("; ")}`;
}

function asTable(spec) {
  const columns = [{ head: spec.hours >= 24 ? "Day" : "From" }, { head: "Line" }, { head: "Net", numeric: true }, { head: "95 % interval", numeric: true }, { head: "Items", numeric: true }];
  const rows = spec.lines.flatMap((line) => line.points.map((point) => [
    bucket(point.start, spec.hours), line.name, inPoints(point.net), `${inPoints(point.net_low)} to ${inPoints(point.net_high)}`, count(point.total),
  ]));
  return table(spec.title, columns, rows);
}
