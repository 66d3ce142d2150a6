// What the other modules write with. Nothing here takes HTML, so no payload can bring any.

export const byId = (id) => document.getElementById(id);

/** An element with properties, attributes in `attributes`, and children. */
export function element(name, { attributes = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** Sets a text. One that stays as it is is not set, or screen readers would read it at each key. */
export function say(node, text, kind = "") {
  if (node.textContent !== text) node.textContent = text;
  node.dataset.kind = kind;
}

/** The names and values of a list of facts. */
export function showFacts(node, facts) {
  node.replaceChildren(
    ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
