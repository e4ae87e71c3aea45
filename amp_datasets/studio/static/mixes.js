// Mixes: several filters in a row, or some of them drawn anew for each copy.
import { attempt, Lane, show } from "./api.js";
import { controlsOf } from "./controls.js";
import { field, h, openDialog, put, t } from "./dom.js";

const lanes = [0, 1, 2, 3, 4, 5].map((number) => new Lane(`mix${number}`));

export async function mixesPart(place, studio, filters, index, labels) {
  const mixes = studio.state.manifest.mixes ?? {};
  put(place, h("h3", {}, t("mixes")), h("p", { class: "soft" }, t("mixes_about")),
    Object.entries(mixes).map(([name, mix]) => h("div", { class: "card row" }, h("b", { class: "wide", dir: "auto" }, name),
      h("span", { class: "soft" }, `${stepsOf(mix).map(nameOf).join(" + ")} × ${copiesOf(mix)}`),
      h("button", { onclick: () => edit(name, mix) }, t("change")), h("button", { onclick: () => studio.remove(["mixes", name]), "aria-label": `${t("remove")} ${name}` }, t("remove")))),
    h("button", { id: "new-mix", onclick: () => edit("", { steps: [], copies: 3 }) }, t("new_mix")));

  function edit(name, mix) {
    const old = name;
    let steps = stepsOf(mix).map((step) => [nameOf(step), { ...(settingsOf(step) ?? {}) }]);
    const input = h("input", { id: "mix-name", value: name || free(), "aria-label": t("name") });
    const copies = h("input", { type: "number", id: "mix-copies", min: 1, max: 1000, value: copiesOf(mix), onchange: draws });
    const pick = h("input", { type: "number", id: "mix-pick", min: 1, value: mix.pick ?? "", placeholder: t("all"), onchange: draws });
    const list = h("div", { class: "chips", id: "mix-steps" });
    const settings = h("div");
    const add = h("select", { id: "mix-add", "aria-label": t("add_step"), onchange: () => {
      const filter = filters.find((each) => each.name === add.value);
      add.value = "";
      if (filter) { steps.push([filter.name, { ...(studio.state.manifest.filters?.[filter.name] ?? filter.example) }]); draw(); draws(); }
    } }, h("option", { value: "" }, t("add_step")), filters.map((filter) => h("option", { value: filter.name }, filter.name)));
    const strip = h("div", { class: "strip" }, lanes.map(() => h("figure", {}, h("img", { alt: t("draw") }), h("figcaption"))));
    const value = () => ({ steps: steps.map(([step, given]) => (Object.keys(given).length ? { [step]: given } : step)),
      ...(Number(copies.value) > 1 ? { copies: Number(copies.value) } : {}), ...(pick.value ? { pick: Math.min(Number(pick.value), steps.length) } : {}) });

    function draw() {
      put(list, steps.map(([step, given], number) => h("span", { class: "chip" },
        h("button", { onclick: () => put(settings, controlsOf(filters.find((each) => each.name === step) ?? { controls: [] }, given, (changed) => { steps[number][1] = changed; draws(); })) }, step),
        h("button", { onclick: () => { steps.splice(number, 1); put(settings); draw(); draws(); }, "aria-label": `${t("remove")} ${step}` }, "✕"))));
    }

    async function draws() {
      if (!steps.length) return;
      const many = Math.max(1, Number(copies.value));
      for (let number = 0; number < 6; number += 1) {
        const [image, caption] = strip.children[number].children;
        const more = number < many ? { copy: number } : { seed: (studio.state.manifest.seed ?? 0) + number };
        const answer = await attempt(() => lanes[number].ask({ generation: studio.state.generation, index: index(), kind: "mixes", name: input.value || "mix", value: value(), side: 300, labels: labels(), ...more }));
        if (!answer) continue;
        caption.textContent = answer.refused ?? (number < many ? t("copy", { n: number + 1 }) : t("seed", { n: more.seed }));
        if (answer.refused) image.removeAttribute("src"); else show(image, answer.url);
      }
    }

    async function save() {
      const made = value();
      if (!steps.length) return;
      if (old && old !== input.value) await studio.remove(["mixes", old]);
      if (await studio.change(["mixes", input.value], Object.keys(made).length === 1 ? made.steps : made)) dialog.close();
    }
    draw();
    const dialog = openDialog(old ? old : t("new_mix"),
      h("div", { class: "row" }, field(t("name"), input), field(t("copies"), copies), field(t("pick"), pick), h("button", { class: "main", id: "save-mix", onclick: save }, t("save"))),
      h("div", { class: "row" }, list, add), settings, h("h3", {}, t("six_draws")), strip);
    draws();
  }

  function free() {
    let number = 1;
    while (`mix${number}` in mixes) number += 1;
    return `mix${number}`;
  }
}

const stepsOf = (mix) => (Array.isArray(mix) ? mix : typeof mix === "string" ? [mix] : [mix.steps].flat());
const copiesOf = (mix) => (Array.isArray(mix) || typeof mix === "string" ? 1 : mix.copies ?? 1);
const nameOf = (step) => (typeof step === "string" ? step : Object.keys(step)[0]);
const settingsOf = (step) => (typeof step === "string" ? {} : Object.values(step)[0]);
