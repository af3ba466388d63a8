// Making page elements without HTML text.
//
// Promise: data reaches the page as text nodes and attributes only, so nothing that a player writes is ever markup.

/**
 * `el("button", {class: "quiet", onclick: go}, "Go")`; attributes that are false, null or undefined are left out.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. @param {string} tag @param {Record<string, any>} [attributes] */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, to]) => node.style.setProperty(key, to));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== false && child != null).map((child) => (
    typeof child === "object" ? child : String(child))));
  return node;
}

/** Sets a text when it differs, so that nothing is laid out or read aloud for nothing. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);
