// The view System: the processes, what went wrong, what waits, and how fresh the data of each subreddit is.

import { get } from "./calls.js";
import { collectNow } from "./collect.js";
import { element, table, theirs } from "./element.js";
import { processCard } from "./process.js";
import { DASH, count, moment, span, timed } from "./words.js";

const HOURS = 24;
const RECENT = 12;

/** Show the view in `root`; return how it is updated. */
export function system(root) {
  // It is there from the first moment on and stays: a token may be half written in it.
  const collecting = collectNow();
  const rest = element("div");
  let shown = false;

  async function update() {
    const found = await get("system", { hours: HOURS });
    if (!shown) root.replaceChildren(heading(collecting), rest);
    shown = true;
    if (!rest.contains(document.activeElement)) rest.replaceChildren(...sections(found));
    document.title = `System ${found.status}: SentimentAgent`;
  }

  return { update, failed: (error) => {
    if (!shown) root.replaceChildren(heading(collecting), element("p", { class: "notice" }, error.message));
  } };
}

const heading = (collecting) => element("div", { class: "bar" }, element("h1", {}, "System"), collecting);

function sections(found) {
  return [
    element("section", { "aria-labelledby": "processes" }, element("h2", { id: "processes" }, "Processes", element("small", {}, ` memory of the last ${HOURS} hours against its thresholds`)), processes(found)),
    element("section", { "aria-labelledby": "flow" }, element("h2", { id: "flow" }, "Flow"), flow(found)),
    element("section", { "aria-labelledby": "incidents" }, element("h2", { id: "incidents" }, "Incidents"), incidents(found)),
    element("section", { "aria-labelledby": "fresh" }, element("h2", { id: "fresh" }, "Freshness by subreddit"), freshness(found)),
  ];
}

const unknown = (found, name) => element("p", { class: "empty" }, `Not known: ${found.missing[name] ?? "nobody told it"}.`);

function processes(found) {
  const cards = Object.entries(found.processes).map(([name, process]) => processCard(name, process, found));
  return [found.missing.processes ? unknown(found, "processes") : null, element("ul", { class: "process-cards" }, cards)];
}

function flow(found) {
  const { outbox, database, watchdog, events } = found;
  const facts = [
    ["Waiting to be scored", outbox ? count(outbox.items) : "not known", outbox?.max_items ? `of at most ${count(outbox.max_items)} in the outbox` : found.missing.outbox],
    ["Stored", database.connected ? count(database.items) : "not known", database.connected ? `items in ${database.engine}${database.set_aside ? `; ${count(database.set_aside)} could not be scored` : ""}` : database.error],
    ["Alerts", ...alerts(watchdog)],
    ["Watching this live", count(events.clients), `of at most ${count(events.max_clients)}; ${count(events.dropped)} dropped`],
  ];
  return element("dl", { class: "figures" }, facts.map(([name, figure, more]) => element("div", {}, element("dt", {}, name), element("dd", {}, figure, more ? element("small", {}, more) : null))));
}

/** Where alerts go, and what is to be said of it: the watchdog puts the reason behind a colon. */
function alerts(watchdog) {
  if (watchdog.alerts === null) return ["not known", null];
  const [where, ...reason] = watchdog.alerts.split(":");
  return [where === "nowhere" ? "reach nobody" : where, reason.length ? reason.join(":").trim() : `${count(watchdog.alerts_waiting)} waiting`];
}

function incidents(found) {
  if (found.incidents === null) return unknown(found, "incidents");
  if (!found.incidents.length) return element("p", { class: "empty" }, "Nothing went wrong in what the watchdog remembers.");
  const rows = found.incidents.slice(0, RECENT).map((each) => [
    timed(each.opened_at, moment), each.process, each.kind.replaceAll("_", " "), theirs(each.reason), each.action || DASH,
    each.closed_at ? `over after ${span((new Date(each.closed_at) - new Date(each.opened_at)) / 1000)}` : element("strong", { class: "negative" }, "open"),
  ]);
  return table(`The newest ${rows.length} of ${found.incidents.length}`, ["When", "Process", "What", "Why", "What was done", "State"].map((head) => ({ head })), rows);
}

function freshness(found) {
  if (found.freshness === null) return unknown(found, "freshness");
  if (!found.freshness.length) return element("p", { class: "empty" }, "No subreddit is collected, and none is stored.");
  const rows = found.freshness.map((each) => [
    ["r/", theirs(each.subreddit)], count(each.items), each.newest_created_at ? timed(each.newest_created_at) : DASH, each.newest_collected_at ? timed(each.newest_collected_at) : DASH,
    each.unread ? element("strong", { class: "negative" }, `not read: ${each.unread.replaceAll("_", " ")}`) : each.is_collected ? (each.items ? "collected" : "nothing yet") : "not collected any more",
  ]);
  return table("When the newest item was written, and when it was collected", [{ head: "Subreddit" }, { head: "Items", numeric: true }, { head: "Newest written" }, { head: "Newest collected" }, { head: "State" }], rows);
}
