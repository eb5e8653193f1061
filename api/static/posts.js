// The view Posts: what was written, in the order that the reader wants, page by page.

import { get } from "./calls.js";
import { bar, choices } from "./chooser.js";
import { element } from "./element.js";
import { isInUse, keeping } from "./kept.js";
import { postCard } from "./post.js";
import { go, parameters, windowWords } from "./state.js";
import { showFeeling, showNothing } from "./verdict.js";
import { counted, span } from "./words.js";

const PAGE = 25;
const ORDERS = { newest: "Newest", positive: "Most positive", negative: "Most negative", discussed: "Most discussed" };
const KINDS = { post: "Posts", comment: "Comments", all: "Both" };
const SENTIMENTS = { "": "Any", positive: "Positive", neutral: "Neutral", negative: "Negative" };

/** Show the view in `root`; return how it is updated. */
export function posts(root) {
  let shown = null;
  let last = null;
  let turn = 0;

  async function update(state) {
    const mine = (turn += 1);
    const when = { ...parameters(state), subreddit: state.subreddit };
    const wanted = { ...when, kind: state.kind, sentiment: state.sentiment, order: state.order, limit: PAGE };
    const [page, names] = await Promise.all([get("posts", wanted), get("subreddits"), feeling(state)]);
    if (mine !== turn) return;
    const said = JSON.stringify([state, page.posts, names.subreddits, page.stale_seconds !== undefined]);
    if (said === last) return;
    // Who reads further down, or asked why, keeps what is under the eyes; the new ones wait behind a button.
    const isSame = shown !== null && JSON.stringify(shown) === JSON.stringify(state);
    if (isSame && (scrollY > 300 || isInUse(root) || root.querySelector(".why:not(:empty)"))) return waiting(root, () => render(page, names));
    shown = state;
    last = said;
    if (isSame) keeping(root, () => render(page, names));
    else render(page, names);

    function render(first, { subreddits }) {
      last = said;
      root.replaceChildren(bar(state), filters(state, subreddits), ...list(first, wanted, state));
    }
  }

  return { update, failed: (error, state) => {
    last = null;
    if (JSON.stringify(shown) === JSON.stringify(state)) return;
    shown = state;
    root.replaceChildren(bar(state), filters(state, []), element("p", { class: "notice" }, error.message));
  } };
}

async function feeling(state) {
  const only = state.subreddit ? { subreddits: state.subreddit } : { top: 12 };
  try {
    const overview = await get("sentiment/overview", { ...parameters(state), ...only });
    const line = state.subreddit ? overview.subreddits[0] : overview.all;
    if (line) showFeeling(line, state);
    else showNothing(`r/${state.subreddit} has no item in this window.`);
  } catch (error) {
    showNothing(error.message);
  }
}

function filters(state, subreddits) {
  const orders = Object.fromEntries(Object.entries(ORDERS).map(([value, words]) => [value, [words, { order: value }]]));
  const stored = [...new Set([...subreddits, state.subreddit].filter(Boolean))];
  return element("div", { class: "filters" },
    choices("Order", state.order, orders),
    selection("Subreddit", state.subreddit, [["", "All"], ...stored.map((name) => [name, `r/${name}`])], (subreddit) => go({ subreddit, compare: "" })),
    selection("Kind", state.kind, Object.entries(KINDS), (kind) => go({ kind })),
    selection("Sentiment", state.sentiment, Object.entries(SENTIMENTS), (sentiment) => go({ sentiment })));
}

function selection(label, chosen, options, choose) {
  const select = element("select", { onchange: () => choose(select.value) },
    options.map(([value, words]) => element("option", { value, selected: value.toLowerCase() === chosen.toLowerCase() }, words)));
  return element("label", {}, label, " ", select);
}

function list(first, wanted, state) {
  const heading = element("h2", { id: "posts" }, `${ORDERS[state.order]} of ${windowWords(state)}`);
  const stale = first.stale_seconds === undefined ? null : element("p", { class: "notice" }, `The store does not answer: this is what it said ${span(first.stale_seconds)} ago.`);
  if (!first.posts.length) return [element("section", { "aria-labelledby": "posts" }, heading, stale ?? "", element("p", { class: "empty" }, "Nothing here matches. A longer window or fewer filters may."))];
  const items = element("ol", { class: "items" }, first.posts.map(postCard));
  const more = element("div", { class: "more" });
  offer(more, items, first.next_cursor, wanted);
  return [element("section", { "aria-labelledby": "posts" }, heading, ...[stale].filter(Boolean), items, more)];
}

/** Offer the page behind `cursor`, or say that there is none. */
function offer(more, items, cursor, wanted) {
  if (!cursor) return more.replaceChildren(element("p", { class: "empty" }, `${counted(items.children.length, "item")}: that is all.`));
  const button = element("button", { onclick: async () => {
    button.disabled = true;
    button.textContent = "Loading\u2026";
    try {
      const page = await get("posts", { ...wanted, cursor });
      const before = items.children.length;
      items.append(...page.posts.map(postCard));
      offer(more, items, page.next_cursor, wanted);
      items.children[before]?.querySelector("a, button")?.focus();
    } catch (error) {
      button.disabled = false;
      button.textContent = `${error.message} Try again`;
    }
  } }, "Load more");
  return more.replaceChildren(button);
}

function waiting(root, show) {
  if (root.querySelector(".waiting")) root.querySelector(".waiting").remove();
  root.append(element("button", { class: "waiting", onclick: () => {
    show();
    scrollTo({ top: 0 });
  } }, "There is something new: show it"));
}
