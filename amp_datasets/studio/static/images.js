// Step 2: look at the set: a grid of all its images, and one of them large.
import { attempt, get } from "./api.js";
import { Grid } from "./grid.js";
import { count, field, h, openDialog, put, t } from "./dom.js";

export function imagesPage(main, studio) {
  const chosen = { category: "", split: "", rule: "", name: "" };
  const chooser = (name) => h("select", { id: `by-${name}`, onchange: (event) => choose(name, event.target.value) });
  const selects = { category: chooser("category"), split: chooser("split"), rule: chooser("rule") };
  let typing = 0;
  const search = h("input", { id: "by-name", type: "search", oninput: () => {
    clearTimeout(typing);
    typing = setTimeout(() => choose("name", search.value), 200);
  } });
  const grid = new Grid({
    address: "images", parameters: { ...chosen }, label: t("step.images"), open: (tile, number) => look(number),
    picture: (tile) => `api/images/${studio.state.generation}/${tile.index}/shown?side=320`,
  });
  put(main, h("h2", {}, t("step.images")),
    h("div", { class: "row" }, field(t("class"), selects.category), field(t("split"), selects.split), field(t("finding"), selects.rule), field(t("name"), search)),
    grid.counted, grid.element,
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => studio.open("filters") }, t("next_filters"))));

  async function choose(name, value) {
    chosen[name] = value;
    await attempt(() => grid.load({ ...chosen }));
  }

  async function load() {
    if (studio.state.reading.state !== "ready") { grid.counted.textContent = t("none_yet"); return; }
    const facets = await get("facets");
    const options = (known) => [h("option", { value: "" }, t("all")), ...Object.entries(known).map(([name, number]) => h("option", { value: name }, `${name} (${count(number)})`))];
    put(selects.category, options(facets.classes));
    put(selects.split, options(facets.splits));
    await grid.load({ ...chosen });
    await rules();
  }

  async function rules() {
    const { findings } = await get("findings");
    put(selects.rule, h("option", { value: "" }, t("all")), (findings ?? []).map((each) => h("option", { value: each.rule }, `${each.rule} ${each.title} (${count(each.count)})`)));
  }

  async function look(number, labels = true) {
    const tile = await grid.at(number);
    if (!tile) return;
    const { generation } = studio.state;
    const details = await get(`images/${generation}/${tile.index}`);
    const image = h("img", { id: "large", alt: `${details.name}: ${t("labels", { n: details.labels })}` });
    const draw = () => { image.src = `api/images/${generation}/${tile.index}/shown?side=${Math.min(4096, Math.max(...details.size))}&labels=${labels}`; };
    const toggle = h("input", { type: "checkbox", checked: labels, onchange: () => { labels = toggle.checked; draw(); } });
    draw();
    const dialog = openDialog(details.name,
      h("div", { class: "row" }, h("button", { onclick: () => look(number - 1, labels), "aria-label": t("previous") }, "←"),
        h("button", { onclick: () => look(number + 1, labels), "aria-label": t("next") }, "→"),
        h("span", {}, `${details.size[0]} × ${details.size[1]} px · ${details.split}`), h("label", {}, toggle, ` ${t("show_labels")} (b)`),
        h("a", { href: image.src, target: "_blank", rel: "noopener" }, t("full_size"))),
      image,
      details.classes.length ? h("p", { dir: "auto" }, details.classes.join(", ")) : null,
      h("ul", {}, details.objects.slice(0, 200).map((each) => h("li", { dir: "auto" }, `${each.category}${each.crowd ? " (crowd)" : ""}: ${each.xyxy.join(", ")}`))),
      details.findings.map((each) => h("p", { class: "warn" }, `${each.rule} ${each.what}`)));
    dialog.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) look(number + step, labels);
      if (event.key === "b") { toggle.checked = !toggle.checked; toggle.onchange?.(); labels = toggle.checked; draw(); }
    };
  }

  attempt(load);
  return { changed: async ({ images, checked }) => { if (images) await attempt(load); else if (checked) await attempt(rules); } };
}
