// Lists of what is wrong, each with its place.

import { count, element } from "./dom.js";

/** A longer list helps nobody, and slows the page down. */
const MOST = 200;

/** The faults of what does not pass: its violations, or the place where it cannot be read. */
export function faultsOf({ violations, detail, pointer, item }) {
  return violations.length > 0 ? violations : [{ pointer, item, detail }];
}

/** Shows the first faults of a list, and how many more there are. */
export function showFaults(list, faults, truncated = false) {
  const lines = faults.slice(0, MOST).map(({ item, pointer, detail }) =>
    element(
      "li",
      {},
      element("code", {}, [item === undefined ? "" : `item ${item}`, pointer ?? ""].join(" ").trim()),
      element("span", {}, detail),
    ),
  );
  const more = faults.length - MOST;
  if (more > 0) lines.push(element("li", { className: "more" }, `and ${count(more, "more", "more")}`));
  if (truncated) lines.push(element("li", { className: "more" }, "There are further faults that are not listed."));
  list.replaceChildren(...lines);
  list.hidden = lines.length === 0;
}
