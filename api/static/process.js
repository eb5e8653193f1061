// One process: how it is in words, and its memory over time.

import { element, opening, table } from "./element.js";
import { memoryPicture } from "./memory.js";
import { DASH, moment, span, timed } from "./words.js";

const ROLES = { collector: "reads the source", analyzer: "scores and stores", api: "answers you", watchdog: "watches the others" };
const WELL = new Set(["ok", "not judged"]);
const megabytes = (value) => (value === null || value === undefined ? DASH : `${Math.round(value)} MB`);

/** Return a process as an item of a list; null is one of which nobody told anything. */
export function processCard(name, process, found) {
  if (!process) return element("li", { class: "unknown" }, head(name, "not known", "neutral"));
  const isUp = ["RUNNING", "STARTING", null].includes(process.supervisor_state);
  const isWell = isUp && WELL.has(process.verdict);
  const state = isUp ? (process.state ?? "not heard of") : process.supervisor_state.toLowerCase();
  return element("li", {},
    head(name, isUp ? (isWell ? state : process.verdict) : state, isWell ? "positive" : "negative"),
    isWell || !process.reason ? null : element("p", { class: "reason" }, process.reason),
    element("p", { class: "memory" }, element("strong", {}, megabytes(process.memory_mb)), ` of ${megabytes(process.memory_limit_mb)}`, element("span", {}, forecast(process))),
    process.memory?.length ? memoryPicture(name, process, found) : element("p", { class: "empty" }, `No memory over time: ${found.missing.memory ?? "nothing was measured yet"}.`),
    facts(process),
    process.memory?.length ? opening("Figures as a table", () => figures(name, process), { class: "figures-table" }) : null);
}

function head(name, state, tone) {
  return element("h3", {}, name, element("small", {}, ` ${ROLES[name] ?? ""}`), element("span", { class: `sentiment ${tone}` }, state));
}

function forecast({ forecast: found }) {
  if (!found) return "";
  if (found.limit_reached_in_s !== null) return `grows ${Math.round(found.slope_mb_per_h)} MB/h: at its limit in ${span(found.limit_reached_in_s)}`;
  return Math.abs(found.slope_mb_per_h) < 1 ? "steady" : `${found.slope_mb_per_h > 0 ? "grows" : "shrinks"} ${Math.abs(found.slope_mb_per_h).toFixed(0)} MB/h`;
}

function facts(process) {
  const told = [
    ["Up for", span(process.uptime_seconds)],
    ["Last beat", process.beat_age_s === null ? DASH : `${span(process.beat_age_s)} ago`],
    ["Does", process.waiting_for ? `waits for ${process.waiting_for}` : process.state === "ready" ? "works" : DASH],
    ["CPU", process.cpu_percent === null ? DASH : `${Math.round(process.cpu_percent)} %`],
    ["Restarts", process.restarts ? [`${process.restarts}, last `, timed(process.last_restart_at), process.last_restart_reason ? `: ${process.last_restart_reason}` : ""] : "0"],
  ];
  return element("dl", { class: "facts" }, told.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function figures(name, process) {
  const rows = process.memory.map((each) => [moment(each.at), megabytes(each.lowest_mb), megabytes(each.highest_mb)]);
  return table(`Memory of ${name}`, [{ head: "From" }, { head: "Lowest", numeric: true }, { head: "Highest", numeric: true }], rows);
}
