// Elements made of data. Text is only ever text: nothing here, and nothing that uses it, makes markup of a string.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element. `on...` attributes are listeners; null and false ones are left out. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an element of a drawing. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Return a link to another site, or the bare text where a click should open no such address (`javascript:`, ...). */
export function outward(address, text, attributes = {}) {
  let url = null;
  try {
    url = new URL(address);
  } catch {
    // Not a whole address.
  }
  if (url === null || !["http:", "https:"].includes(url.protocol)) return element("span", attributes, text);
  return element("a", { href: url.href, rel: "noopener nofollow noreferrer", target: "_blank", ...attributes }, text);
}

/** Return somebody's text, isolated from the direction of its surroundings. */
export function theirs(text) {
  return element("bdi", {}, text);
}

/** Return a table of rows of cells; the first cell of a row is its head. Columns: {head, numeric?}. */
export function table(caption, columns, rows) {
  const kind = (index) => (columns[index].numeric ? "number" : null);
  return element(
    "div",
    { class: "scrolled", tabindex: "0", role: "group", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, columns.map((column, index) => element("th", { scope: "col", class: kind(index) }, column.head)))),
      element(
        "tbody",
        {},
        rows.map((cells) =>
          element("tr", {}, cells.map((cell, index) => element(index ? "td" : "th", { scope: index ? null : "row", class: kind(index) }, cell))),
        ),
      ),
    ),
  );
}

/** Return a part that opens; what is in it is made when it is opened for the first time. */
export function opening(summary, make, attributes = {}) {
  const body = element("div", { class: "opened" });
  const part = element("details", attributes, element("summary", {}, summary), body);
  part.addEventListener("toggle", () => {
    if (part.open && !body.hasChildNodes()) body.append(make());
  });
  return part;
}
