// One post or comment: its verdict, its text, and on demand the words that drove the verdict.

import { get } from "./calls.js";
import { element, outward, theirs } from "./element.js";
import { counted, percent, signed, start, timed } from "./words.js";

const CHARACTERS = 320;
//: An effect that is smaller says nothing. Chosen, as in the command `score`.
const LEAST = 0.01;
let numbers = 0;

/** Return a post as an item of a list. */
export function postCard(post) {
  const body = post.content.replaceAll(/\s+/g, " ").trim();
  const heading = shortened(post.title || body) || "(no text)";
  const text = element("p", { class: "text" }, theirs(shortened(post.title ? body : "")));
  const title = element("h3", {}, outward(post.url, theirs(heading)));
  const id = `why-${(numbers += 1)}`;
  const why = element("div", { class: "why", id, role: "status" });
  const button = element("button", { class: "ask", "aria-expanded": "false", "aria-controls": id, onclick: () => toggle(post, button, why, title, text) }, "Why?");
  return element("li", {},
    element("div", { class: "score" }, element("span", { class: `sentiment ${post.sentiment}` }, post.sentiment), meter(post)),
    element("article", {}, title, body && post.title ? text : null, element("div", { class: "asks" }, about(post), button), why));
}

const shortened = (text) => (text.length <= CHARACTERS ? text : `${start(text, CHARACTERS)}\u2026`);

function meter(post) {
  const sure = post.rule === "text" || post.confidence > 0 ? `${percent(post.confidence)} sure` : "no text to judge";
  return element("span", { class: "compound" }, element("strong", { class: post.sentiment }, signed(post.compound_score)), element("small", {}, sure));
}

function about(post) {
  const parts = [
    ["r/", theirs(post.subreddit)],
    post.author ? ["by ", theirs(start(post.author, 40))] : null,
    [timed(post.created_utc)],
    post.comment_count === null ? null : [counted(post.comment_count, "comment")],
    post.upvotes === null ? null : [counted(post.upvotes, "upvote")],
    post.source === "reddit" ? null : [`from ${post.source}`],
  ].filter(Boolean);
  return element("p", { class: "about" }, parts.map((part) => element("span", {}, part)));
}

async function toggle(post, button, why, title, text) {
  if (why.hasChildNodes()) {
    why.replaceChildren();
    button.setAttribute("aria-expanded", "false");
    for (const mark of [...title.querySelectorAll("mark"), ...text.querySelectorAll("mark")]) mark.replaceWith(mark.textContent);
    return;
  }
  button.setAttribute("aria-expanded", "true");
  why.replaceChildren(element("p", {}, "Asking the model\u2026"));
  try {
    const found = await get(`posts/${encodeURIComponent(post.name)}`, { explain: 1 });
    why.replaceChildren(...answer(found, post));
    if (found.explanation) for (const node of [title, text]) highlight(node.querySelector("bdi"), found.explanation.words);
  } catch (error) {
    why.replaceChildren(element("p", {}, error.message));
  }
}

function answer({ explanation, explanation_reason: reason }, post) {
  if (!explanation) return [element("p", {}, reason)];
  const words = explanation.words.filter((each) => Math.abs(each.effect) >= LEAST);
  const most = Math.max(...words.map((each) => Math.abs(each.effect)), LEAST);
  const other = explanation.sentiment === post.sentiment ? "" : ` Stored is ${post.sentiment}: the model has changed since.`;
  const intro = !words.length ? "No single word decides it." : `Without the word, the model would be so much less sure that it is ${explanation.sentiment}:`;
  return [
    element("p", {}, `${intro}${other}`),
    element("ul", { class: "effects" }, words.map((each) => element("li", { class: each.effect > 0 ? "for" : "against" }, theirs(each.word), bar(Math.abs(each.effect) / most), element("span", {}, `${signed(each.effect * 100, 0)} points`)))),
    ...(explanation.is_whole ? [] : [element("p", {}, "Of this long text only the parts that matter most were tried.")]),
  ];
}

function bar(share) {
  const node = element("span", { class: "effect-bar", "aria-hidden": "true" });
  node.style.inlineSize = `${Math.max(2, share * 120)}px`;
  return node;
}

/** Mark the words where they stand in a text; those of the text that differ in case are meant too. */
function highlight(node, words) {
  if (!node) return;
  const meant = new Map(words.filter((each) => Math.abs(each.effect) >= LEAST && /[\p{L}\p{N}]/u.test(each.word)).map((each) => [each.word.toLowerCase(), each]));
  const parts = node.textContent.split(/([\p{L}\p{N}'\u2019]+)/u).map((part) => {
    const found = meant.get(part.toLowerCase());
    return found ? element("mark", { class: found.effect > 0 ? "for" : "against", title: `${signed(found.effect * 100, 0)} points` }, part) : part;
  });
  node.replaceChildren(...parts);
}
