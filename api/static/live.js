// What the server tells by itself, and whether it still does. `EventSource` comes back and resumes where it was
// (Last-Event-ID) by itself while the server answers; after an answer that was no stream it is begun anew here.

import { clock } from "./words.js";

const AGAIN_MS = 5000;
/** Heartbeats are no events for a script; without any event for so long the connection itself is asked. Chosen. */
const KINDS = ["hello", "data", "health", "system"];

/** Follow the events: `told(kind)` at each, `is(state, words)` when the connection changes. */
export function follow(told, is) {
  let since = new Date();
  let source = null;

  function begin() {
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => is("live", "Live"));
    for (const kind of KINDS) {
      source.addEventListener(kind, () => {
        since = new Date();
        told(kind);
      });
    }
    source.addEventListener("error", () => {
      const isOver = source.readyState === EventSource.CLOSED;
      is(isOver ? "lost" : "again", isOver ? `Not live since ${clock(since)}` : `Reconnecting; last heard at ${clock(since)}`);
      if (isOver) setTimeout(begin, AGAIN_MS);
    });
  }

  begin();
}

/** Return a function that runs `act` at once, and then at most every `pause_ms`, never forgetting the last call. */
export function seldom(act, pause_ms) {
  let next = 0;
  let waiting = null;
  return () => {
    if (waiting !== null) return;
    const wait = Math.max(0, next - Date.now());
    waiting = setTimeout(() => {
      waiting = null;
      next = Date.now() + pause_ms;
      act();
    }, wait);
  };
}
