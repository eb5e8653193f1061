// The window that is looked at, and what of it: links, so that each choice is an address.

import { element, theirs } from "./element.js";
import { WINDOWS, address, go, pair } from "./state.js";

const NAMES = { "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days" };

/** Return links of which one is chosen. */
export function choices(label, chosen, named) {
  return element("div", { class: "choices", role: "group", "aria-label": label }, Object.entries(named).map(([value, [words, changes]]) =>
    element("a", { href: address(changes), "data-within": true, "aria-current": value === chosen ? "true" : null }, words)));
}

/** Return the bar above a view: the window, and chips for what the view is narrowed to. */
export function bar(state) {
  const windows = Object.fromEntries(Object.keys(WINDOWS).map((name) => [name, [NAMES[name], { window: name, start: "", end: "" }]]));
  return element("div", { class: "bar" }, choices("Window", state.window, windows), custom(state), chips(state));
}

function custom(state) {
  const today = local(new Date());
  const isCustom = state.window === "custom";
  const field = (name, label, value) => element("label", {}, label, " ", element("input", { type: "date", name, value, max: today, required: true }));
  const form = element(
    "form",
    { class: "custom-window", onsubmit: (event) => {
      event.preventDefault();
      const [start, end] = [form.elements.start.value, form.elements.end.value].sort();
      go({ window: "custom", start, end });
    } },
    field("start", "From", state.start || local(new Date(Date.now() - 14 * 86400000))), field("end", "to", state.end || today), element("button", {}, "Show"),
  );
  return element("details", { class: "custom", open: isCustom }, element("summary", { "aria-current": isCustom ? "true" : null }, "Custom"), form);
}

function chips(state) {
  const chip = (words, changes, label) => element("a", { class: "chip", href: address(changes), "data-within": true, "aria-label": label }, element("span", {}, words), element("span", { "aria-hidden": "true" }, "\u00d7"));
  const two = state.view === "now" ? pair(state) : null;
  return element("div", { class: "chips" },
    two ? chip(["r/", theirs(two[0]), " and r/", theirs(two[1])], { compare: "" }, "Compare no longer") : null,
    state.subreddit && !two ? chip(["r/", theirs(state.subreddit)], { subreddit: "" }, "All subreddits again") : null);
}

const local = (at) => new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
