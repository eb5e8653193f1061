// What the reader is at in a view while it is drawn anew: what is open, and where the focus is.

/** Whether drawing `root` anew would take something out of the reader's hands. */
export const isInUse = (root) => root.querySelector("svg:focus, form:focus-within, select:focus") !== null;

/** Draw by `draw`, and leave open what is open in `root`, the focus with it. */
export function keeping(root, draw) {
  const before = parts(root);
  const focused = document.activeElement;
  const place = alike(root, focused).indexOf(focused);
  draw();
  const after = parts(root);
  for (const [name, part] of before) {
    const same = after.get(name);
    if (same) same.open = part.open;
  }
  if (place >= 0) alike(root, focused)[place]?.focus({ preventScroll: true });
}

/** What is of the same kind in `root` and has the same words. */
const alike = (root, node) => [...root.querySelectorAll(node.localName)].filter((each) => each.textContent === node.textContent);

/** Every part that opens, by its words; several with the same words by their place among them. */
function parts(root) {
  const found = new Map();
  for (const part of root.querySelectorAll("details")) {
    const words = part.firstElementChild.textContent;
    let name = words;
    for (let place = 2; found.has(name); place += 1) name = `${words} ${place}`;
    found.set(name, part);
  }
  return found;
}
