// The page's beginning: the views, what the server tells by itself, and the lines at the top.

import { CallFailed, forget } from "./calls.js";
import { element } from "./element.js";
import { follow, seldom } from "./live.js";
import { now } from "./now.js";
import { posts } from "./posts.js";
import { address, listen, read } from "./state.js";
import { system } from "./system.js";
import { showTrust } from "./verdict.js";

const VIEWS = { now: ["Now", now], posts: ["Posts", posts], system: ["System", system] };
//: A data event may come with every batch; the reader's eye and the server have enough with this. Chosen, not measured.
const PAUSE_MS = 4000;
//: Windows move on by themselves, and a connection may die without a word. Chosen, not measured.
const ANYWAY_MS = 60000;

const place = document.getElementById("view");
let shown = null;

async function show(state) {
  document.getElementById("views").replaceChildren(...Object.entries(VIEWS).map(([name, [words]]) =>
    element("a", { href: address({ view: name }), "data-within": true, "aria-current": name === state.view ? "page" : null }, words)));
  if (shown?.name !== state.view) {
    const root = element("div", { class: `view ${state.view}` }, element("p", { class: "empty", role: "status" }, "Loading\u2026"));
    const isFirst = shown === null;
    shown = { name: state.view, ...VIEWS[state.view][1](root) };
    place.replaceChildren(root);
    document.body.dataset.view = state.view;
    if (!isFirst) place.focus({ preventScroll: true });
  }
  await renew(state);
}

async function renew(state = read()) {
  const view = shown;
  try {
    await view.update(state);
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    // What failed late is perhaps not what is looked at any more.
    if (view === shown && JSON.stringify(state) === JSON.stringify(read())) view.failed(error, state);
  }
}

function connection(state, words) {
  const node = document.getElementById("live");
  node.className = `live scripted is-${state}`;
  node.textContent = words;
}

const again = seldom(() => {
  forget();
  renew();
  showTrust();
}, PAUSE_MS);

document.documentElement.classList.add("is-started");
connection("again", "Connecting");
listen(show);
show(read());
follow(again, connection);
setInterval(() => !document.hidden && again(), ANYWAY_MS);
document.addEventListener("visibilitychange", () => !document.hidden && again());
