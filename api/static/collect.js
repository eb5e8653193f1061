// The button that begins a collection. From another machine it needs a token, which stays in this tab alone.

import { collect } from "./calls.js";
import { element } from "./element.js";

const KEPT = "sentimentagent.token";

/** Return the button with what it says, and the field for a token where the server wants one. */
export function collectNow() {
  const said = element("span", { class: "said", role: "status" });
  const button = element("button", { class: "act", onclick: () => begin() }, "Collect now");
  const token = element("input", { type: "password", name: "token", autocomplete: "off", required: true });
  const form = element("form", { class: "token", hidden: true, onsubmit: (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEPT, token.value);
    token.value = "";
    form.hidden = true;
    begin();
  } }, element("label", {}, "Token to act with ", token), element("button", {}, "Use it"), element("small", {}, "Kept until this tab is closed."));

  async function begin() {
    button.disabled = true;
    said.textContent = "Asking the collector\u2026";
    try {
      said.textContent = (await collect(sessionStorage.getItem(KEPT))).message;
    } catch (error) {
      const isToken = error.status === 401 || error.status === 403;
      if (isToken) sessionStorage.removeItem(KEPT);
      form.hidden = !isToken;
      said.textContent = isToken ? "From here that needs a token." : error.message;
      if (isToken) token.focus();
    } finally {
      button.disabled = false;
    }
  }

  return element("div", { class: "collect" }, button, said, form);
}
