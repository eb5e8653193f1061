// Runs before anything is drawn: what only works with scripts is shown, what is only for readers without them is not.
// A module that can't be loaded brings the plain page back.
const root = document.documentElement;
root.classList.add("has-scripts");
addEventListener(
  "error",
  () => {
    if (!root.classList.contains("is-started")) root.classList.remove("has-scripts");
  },
  true,
);
