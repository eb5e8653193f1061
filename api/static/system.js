// The view System.
import { element } from "./element.js";
export function system(root) { return { update: async () => root.replaceChildren(element("p", {}, "System")), failed: () => {} }; }
