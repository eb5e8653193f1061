// Figures and times in words. What is not known is a dash, never a zero. Times are in the reader's own zone.

export const DASH = "\u2013";
const MINUS = "\u2212";
const LANGUAGE = navigator.language?.startsWith("en") ? navigator.language : "en-GB";
const COUNT = new Intl.NumberFormat(LANGUAGE);
const MOMENT = new Intl.DateTimeFormat(LANGUAGE, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(LANGUAGE, { weekday: "short", day: "numeric", month: "short" });
const CLOCK = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const STEPS = [[90, 1, "second"], [5400, 60, "minute"], [172800, 3600, "hour"], [Infinity, 86400, "day"]];

export const count = (value) => (value === null || value === undefined ? DASH : COUNT.format(value));

/** Return "1 item", "2 items". */
export const counted = (value, what) => `${count(value)} ${what}${value === 1 ? "" : "s"}`;

/** Return a share in -1..1 as points of a hundred with its sign: "+12", "−3", "0". */
export function points(value) {
  if (value === null || value === undefined) return DASH;
  const rounded = Math.round(value * 100);
  return rounded === 0 ? "0" : `${rounded > 0 ? "+" : MINUS}${Math.abs(rounded)}`;
}

/** Return a figure with this many decimals and its sign. */
export function signed(value, decimals = 2) {
  if (value === null || value === undefined) return DASH;
  const text = Math.abs(value).toFixed(decimals);
  return Number(text) === 0 ? text : `${value > 0 ? "+" : MINUS}${text}`;
}

/** Return the beginning of a text of at most so many code units, no sign of it cut in half. */
export const start = (text, most) => text.slice(0, most).replace(/[\ud800-\udbff]$/, "").trimEnd();

export const percent = (share) => (share === null || share === undefined ? DASH : `${Math.round(share * 100)} %`);

/** Return the class that colours a net; what is within five points of nothing is neither. Chosen, not measured. */
export function mood(net) {
  if (net === null || net === undefined || Math.abs(net) < 0.05) return "neutral";
  return net > 0 ? "positive" : "negative";
}

export const moment = (time) => MOMENT.format(new Date(time));
export const day = (time) => DAY.format(new Date(time));
export const clock = (time) => CLOCK.format(new Date(time));

/** Return a bucket's beginning: its hour, or its day where buckets are days. */
export const bucket = (time, hours) => (hours >= 24 ? day(time) : moment(time));

/** Return how long something takes or took: "5 minutes". */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return DASH;
  const [, size, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return counted(Math.max(0, Math.round(seconds / size)), unit);
}

export const ago = (time) => `${span((Date.now() - new Date(time)) / 1000)} ago`;

/** Return an element of a time, with UTC in its title. */
export function timed(time, words = ago) {
  const at = new Date(time);
  const node = document.createElement("time");
  node.dateTime = at.toISOString();
  node.title = `${moment(at)} here, ${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  node.textContent = words(at);
  return node;
}
