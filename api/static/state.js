// What is looked at. All of it is in the address, so that a view can be shared and the way back works.

export const WINDOWS = { "24h": 24, "7d": 168, "30d": 720, "90d": 2160 };
const WORDS = { "24h": "the last 24 hours", "7d": "the last 7 days", "30d": "the last 30 days", "90d": "the last 90 days" };
const DEFAULTS = { view: "now", window: "7d", start: "", end: "", subreddit: "", compare: "", order: "newest", kind: "post", sentiment: "" };
const CHOICES = {
  view: ["now", "posts", "system"],
  window: [...Object.keys(WINDOWS), "custom"],
  order: ["newest", "positive", "negative", "discussed"],
  kind: ["post", "comment", "all"],
  sentiment: ["", "positive", "neutral", "negative"],
};
const DATE = /^\d{4}-\d\d-\d\d$/;
const listeners = new Set();

/** Return the state that an address says; what it says wrong is the default. */
export function read(search = location.search) {
  const said = new URLSearchParams(search);
  const state = {};
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = said.get(name) ?? usual;
    state[name] = CHOICES[name] && !CHOICES[name].includes(value) ? usual : value.slice(0, 100);
  }
  const isRange = DATE.test(state.start) && DATE.test(state.end) && state.start <= state.end;
  if (state.window === "custom" && !isRange) state.window = DEFAULTS.window;
  return state;
}

/** Return the address of the state with these changes. */
export function address(changes, state = read()) {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...state, ...changes })) {
    if (value !== DEFAULTS[name]) said.set(name, value);
  }
  return said.size ? `?${said}` : location.pathname;
}

/** Change the state, and tell whoever listens. */
export function go(changes) {
  const to = address(changes);
  if (to !== (location.search || location.pathname)) history.pushState(null, "", to);
  tell();
}

/** Call `listener` with the state after each change. */
export function listen(listener) {
  listeners.add(listener);
}

/** Return the two that are compared, or null. */
export function pair(state) {
  const names = state.compare.split(",").filter(Boolean);
  return names.length === 2 && names[0].toLowerCase() !== names[1].toLowerCase() ? names : null;
}

/** Return the window as parameters of a call. */
export function parameters(state) {
  if (state.window !== "custom") return { hours: WINDOWS[state.window] };
  const end = new Date(`${state.end}T00:00`);
  end.setDate(end.getDate() + 1);
  const start = utc(new Date(`${state.start}T00:00`));
  // Without an end it reaches to now: one that moves by the second would be another question each time.
  return end < Date.now() ? { start, end: utc(end) } : { start };
}

/** Return the window in words. */
export function windowWords(state) {
  return WORDS[state.window] ?? `${state.start} to ${state.end}`;
}

const utc = (at) => `${at.toISOString().slice(0, 19)}Z`;

function tell() {
  const state = read();
  for (const listener of listeners) listener(state);
}

addEventListener("popstate", tell);

// A plain click on a link within the page changes the state; any other click (a new tab) is the browser's.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-within]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.href !== location.href) history.pushState(null, "", link.href);
  tell();
});
