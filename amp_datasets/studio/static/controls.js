// A filter's settings as controls, made from its schema; every change gives all settings anew.
import { h, put, t } from "./dom.js";

export function controlsOf(filter, value, changed) {
  const settings = { ...value };
  const set = (name, to) => { settings[name] = to; changed({ ...settings }); };
  const form = h("div", { class: "controls" });
  for (const control of filter.controls) form.append(one(control, settings[control.name] ?? control.default, (to) => set(control.name, to)));
  form.append(chance(settings.p ?? 1, (to) => { if (to >= 1) delete settings.p; else settings.p = to; changed({ ...settings }); }));
  return form;
}

function framed(control, ...children) {
  const name = control.unit ? `${control.name} (${control.unit})` : control.name;
  return h("fieldset", { class: "control" }, h("legend", {}, name), ...children);
}

function one(control, value, set) {
  const id = `set-${control.name}`;
  if (control.kind === "switch") {
    const box = h("input", { id, type: "checkbox", checked: Boolean(value), onchange: () => set(box.checked) });
    return framed(control, h("label", { class: "slide" }, box, t("yes")));
  }
  if (control.kind === "choice") {
    const select = h("select", { id, "aria-label": control.name, onchange: () => set(select.value) }, control.choices.map((word) => h("option", { value: word }, word)));
    select.value = value;
    return framed(control, h("div", { class: "slide" }, select));
  }
  if (control.kind === "several") return several(control, value, set);
  if (control.kind === "colour") return colour(control, value, set, id);
  if (control.kind === "text") return written(control, value, set, id);
  return numbers(control, value, set, id);
}

function several(control, value, set) {
  const on = new Set(Array.isArray(value) ? value : [value]);
  return framed(control, h("div", { class: "slide" }, control.choices.map((word) => {
    const box = h("input", { type: "checkbox", checked: on.has(word), onchange: () => {
      if (box.checked) on.add(word); else on.delete(word);
      if (on.size) set(control.choices.filter((each) => on.has(each)));
      else { on.add(word); box.checked = true; }
    } });
    return h("label", {}, box, ` ${word}`);
  })));
}

function colour(control, value, set, id) {
  const hex = (channels) => `#${channels.map((channel) => Math.round(channel).toString(16).padStart(2, "0")).join("")}`;
  const isColour = Array.isArray(value);
  const picker = h("input", { type: "color", value: isColour ? hex(value) : "#727272", "aria-label": `${control.name}: ${t("colour")}`,
    oninput: () => { select.value = ""; set([1, 3, 5].map((at) => parseInt(picker.value.slice(at, at + 2), 16))); } });
  const select = h("select", { id, "aria-label": control.name, onchange: () => (select.value ? set(select.value) : picker.oninput?.() ?? picker.dispatchEvent(new Event("input"))) },
    control.choices.map((word) => h("option", { value: word }, word)), h("option", { value: "" }, t("colour")));
  select.value = isColour ? "" : value;
  return framed(control, h("div", { class: "slide" }, select, picker));
}

function written(control, value, set, id) {
  const input = h("input", { id, class: "wide", value: JSON.stringify(value), "aria-label": control.name, onchange: () => {
    try { set(JSON.parse(input.value)); input.setCustomValidity(""); } catch (error) { input.setCustomValidity(error.message); input.reportValidity(); }
  } });
  return framed(control, h("div", { class: "slide" }, input));
}

// A slider with its number beside it; a range has two of each, the lower never above the higher.
function numbers(control, value, set, id) {
  let range = control.kind === "pair" || Array.isArray(value);
  let ends = Array.isArray(value) ? [...value] : [value, value];
  const body = h("div");
  const give = () => set(range ? [...ends] : ends[1]);
  const low = () => (range && control.min < 0 ? Math.max(control.min, -control.reach) : control.least);

  function slide(end, label) {
    const least = Math.ceil(low() / control.step - 1e-9) * control.step; // so that a slider stops at whole steps
    const attributes = { min: Number(least.toFixed(4)), max: control.reach, step: control.step };
    const slider = h("input", { type: "range", ...attributes, id: `${id}-${end}`, "aria-label": label, value: ends[end], oninput: () => move(Number(slider.value)) });
    const exact = h("input", { type: "number", min: range ? control.min : control.least, max: control.max, step: "any", "aria-label": `${label} (${t("exact")})`,
      value: ends[end], onchange: () => move(Number(exact.value)) });
    slider.value = ends[end];
    function move(to) {
      if (Number.isNaN(to)) return;
      ends[end] = control.whole ? Math.round(to) : to;
      if (!range) ends = [ends[end], ends[end]];
      else if (ends[0] > ends[1]) ends[1 - end] = ends[end];
      for (const each of pairs) each.show();
      give();
    }
    return { end, element: h("div", { class: "slide" }, slider, exact), show: () => { slider.value = ends[end]; exact.value = ends[end]; } };
  }

  let pairs = [];
  function draw() {
    pairs = range ? [slide(0, `${control.name}: ${t("from")}`), slide(1, `${control.name}: ${t("to")}`)] : [slide(1, control.name)];
    put(body, pairs.map((pair) => pair.element));
  }
  draw();
  const both = control.range && control.kind !== "pair"
    ? h("label", { class: "slide" }, h("input", { type: "checkbox", checked: range, onchange: (event) => {
      range = event.target.checked;
      if (range && ends[0] === ends[1]) ends[0] = control.whole ? Math.max(control.least, Math.round(ends[1] / 2)) : Math.max(control.least, ends[1] / 2);
      if (!range) ends = [ends[1], ends[1]];
      draw();
      give();
    } }), t("range")) : null;
  return framed(control, body, both);
}

function chance(value, set) {
  const shown = h("output", {}, `${Math.round(value * 100)} %`);
  const slider = h("input", { type: "range", min: 5, max: 100, step: 5, id: "set-p", "aria-label": t("p"), oninput: () => {
    shown.textContent = `${slider.value} %`;
    set(Number(slider.value) / 100);
  } });
  slider.value = Math.round(value * 100);
  return h("fieldset", { class: "control" }, h("legend", {}, `p: ${t("p")}`), h("div", { class: "slide" }, slider, shown));
}
