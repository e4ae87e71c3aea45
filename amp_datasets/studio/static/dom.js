// Elements made from text alone: nothing that comes from a set is ever read as HTML.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function put(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

let texts = {};
let fallback = {};
export let language = "en";

// The first language of the browser that there is a table for decides.
export async function loadTexts() {
  const all = await (await fetch("texts.json")).json();
  const wanted = (navigator.languages || ["en"]).map((name) => name.slice(0, 2).toLowerCase());
  language = wanted.find((name) => name in all) || "en";
  texts = all[language];
  fallback = all.en;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
}

export function t(key, values = {}) {
  const single = String(values.n) === "1" ? `${key}.one` : key;
  const text = texts[single] ?? texts[key] ?? fallback[single] ?? fallback[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (found, name) => (name in values ? values[name] : found));
}

export function has(key) {
  return key in texts;
}

export const count = (number) => Number(number).toLocaleString(language);

// A labelled input: screen readers and clicks on the words reach it.
export function field(label, input, more = null) {
  return h("label", { class: "row" }, h("span", {}, label), input, more);
}

export function say(text, bad = false) {
  const status = document.getElementById("status");
  status.textContent = text;
  status.className = bad ? "bad" : "";
}

export function problems(list) {
  return list.map((each) =>
    h("div", { class: "card bad", role: "alert" }, each.what, each.where ? h("div", { class: "code" }, each.where) : null,
      each.fix ? h("div", { class: "soft" }, `${t("fix")}: ${each.fix}`) : null));
}

export function openDialog(title, ...children) {
  const dialog = document.getElementById("dialog");
  const close = h("button", { onclick: () => dialog.close(), "aria-label": t("close") }, "✕");
  put(dialog, h("div", { class: "row" }, h("h2", { class: "wide", id: "dialog-title" }, title), close), ...children);
  dialog.setAttribute("aria-labelledby", "dialog-title");
  if (!dialog.open) dialog.showModal();
  return dialog;
}
