// Elements of the page. All text goes in as text, never as HTML: names of people and titles are anything.
//
//   element("p.muted", { title: "..." }, "text", element("b", {}, "more"))
//
// An attribute that begins with "on" is a listener; true, false and null set, clear and leave out an attribute.

/** An element of a tag with classes ("button.primary"), attributes, and children (nodes, texts, null). */
export function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  set(made, attributes);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
}

/** A button with its text; `attributes` as of `element`. */
export function button(text, attributes = {}, ...children) {
  const { class: classes = "", ...rest } = attributes;
  return element(classes ? `button.${classes}` : "button", { type: "button", ...rest }, text, ...children);
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element, for boxes over frames and small drawings. */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

/** A length in CSS, set without a style attribute, which the page's policy forbids. */
export function px(node, property, pixels) {
  node.style.setProperty(property, `${pixels}px`);
  return node;
}

/** Whether keys that are pressed now are text that somebody types. */
export function isTyping(event) {
  const target = event.target;
  return target.closest?.("input:not([type=checkbox]):not([type=range]),textarea,select") !== null;
}

/** Whether a key was pressed without Ctrl, Alt or the Windows key. */
export function isPlain(event) {
  return !event.ctrlKey && !event.altKey && !event.metaKey;
}
