// Step 4: splits, which of them get variants, copies; and what a build comes to, counted while one chooses.
import { get, Refused } from "./api.js";
import { count, field, h, problems, put, t } from "./dom.js";

const SPLITS = ["train", "validation", "test"];

export function countsPage(main, studio) {
  const form = h("div", { id: "choices" });
  const counts = h("div", { id: "counts", "aria-live": "polite" });
  put(main, h("h2", {}, t("step.counts")), form, h("h3", {}, t("result_counts")), counts,
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => studio.open("build") }, t("next_build"))));

  const said = () => studio.state.manifest.value;

  function drawForm() {
    const { splits = "keep", augment = ["train"], originals = true, seed = 0, mixes = {} } = said();
    const shares = typeof splits === "string" ? { train: 0.8, validation: 0.1, test: 0.1 } : splits;
    const kind = h("select", { id: "splits", onchange: () => studio.change(["splits"], kind.value === "new" ? shares : kind.value) },
      ["keep", "auto", "new"].map((name) => h("option", { value: name }, t(`splits.${name}`))));
    kind.value = typeof splits === "string" ? splits : "new";
    const percent = SPLITS.map((split) => h("input", { type: "number", min: 0, max: 100, id: `share-${split}`, value: Math.round((shares[split] ?? 0) * 1000) / 10, onchange: newShares }));
    function newShares() {
      const given = percent.map((input) => Math.max(0, Number(input.value)));
      const total = given.reduce((sum, each) => sum + each, 0) || 1;
      const rounded = given.map((each) => Math.round((each / total) * 1000) / 1000);
      rounded[rounded.indexOf(Math.max(...rounded))] += 1 - rounded.reduce((sum, each) => sum + each, 0);
      studio.change(["splits"], Object.fromEntries(SPLITS.map((split, number) => [split, Math.round(rounded[number] * 1000) / 1000]).filter(([, share]) => share > 0)));
    }
    const boxes = SPLITS.map((split) => h("label", {}, h("input", { type: "checkbox", id: `augment-${split}`, checked: augment.includes(split), onchange: (event) => {
      studio.change(["augment"], SPLITS.filter((each) => (each === split ? event.target.checked : augment.includes(each))));
    } }), ` ${split}`));
    const number = (value, path, least = 1) => h("input", { type: "number", min: least, value, onchange: (event) => studio.change(path, Math.max(least, Math.round(Number(event.target.value)))) });
    put(form,
      field(t("splits"), kind),
      kind.value === "new" ? h("div", { class: "row" }, SPLITS.map((split, at) => field(`${split} %`, percent[at]))) : null,
      h("div", { class: "row", role: "group", "aria-label": t("augment") }, h("span", {}, t("augment")), boxes),
      h("label", { class: "row" }, h("input", { type: "checkbox", id: "originals", checked: originals, onchange: (event) => studio.change(["originals"], event.target.checked) }), t("originals")),
      field(t("seed_name"), number(seed, ["seed"], 0)),
      Object.entries(mixes ?? {}).map(([name, mix]) => (Array.isArray(mix) || typeof mix === "string"
        ? field(t("copies_of", { name }), h("input", { type: "number", min: 1, value: 1, onchange: (event) => studio.change(["mixes", name], { steps: [mix].flat(), copies: Number(event.target.value) }) }))
        : field(t("copies_of", { name }), number(mix.copies ?? 1, ["mixes", name, "copies"])))),
      balance());
  }

  // Rare classes get more copies of the mixes, if this version knows how.
  function balance() {
    if (!studio.state.balances) return null;
    const { balance: set, mixes } = said();
    const to = h("select", { id: "balance", disabled: !Object.keys(mixes ?? {}).length, onchange: () => (to.value ? studio.change(["balance"], { ...(set ?? {}), to: to.value }) : studio.remove(["balance"])) },
      h("option", { value: "" }, t("balance.off")), h("option", { value: "median" }, t("balance.median")), h("option", { value: "max" }, t("balance.max")));
    to.value = set ? String(set.to ?? "median") : "";
    return h("div", {}, field(t("balance"), to), Object.keys(mixes ?? {}).length ? null : h("p", { class: "soft" }, t("balance_needs_mixes")));
  }

  async function drawCounts() {
    try {
      const found = await get("counts");
      const splits = Object.entries(found.splits);
      const most = Math.max(1, ...splits.map(([, number]) => number));
      put(counts, h("p", {}, h("b", {}, t("counted", { images: count(found.originals + found.variants), originals: count(found.originals), variants: count(found.variants), labels: count(found.labels) }))),
        h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, t("split")), h("th", { class: "number" }, t("images_word")), h("th"))),
          h("tbody", {}, splits.map(([name, number]) => h("tr", {}, h("td", {}, name), h("td", { class: "number" }, count(number)), h("td", {}, h("meter", { min: 0, max: most, value: number, "aria-hidden": "true" }))))))),
        perClass(found.classes ?? {}),
        found.notes.map((note) => h("p", { class: "warn" }, note)));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(counts, error.status === 409 ? h("p", { class: "soft" }, t("none_yet")) : problems(error.problems));
    }
  }

  function perClass(classes) {
    const splits = Object.keys(classes);
    const names = [...new Set(splits.flatMap((split) => Object.keys(classes[split])))];
    if (!names.length) return null;
    return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, t("class")), splits.map((split) => h("th", { class: "number" }, split)))),
      h("tbody", {}, names.map((name) => h("tr", {}, h("td", { dir: "auto" }, name), splits.map((split) => h("td", { class: "number" }, count(classes[split][name]?.labels ?? 0))))))));
  }

  drawForm();
  drawCounts();
  return { changed: async ({ images, text }) => { if (text) drawForm(); if (images || text) await drawCounts(); } };
}
