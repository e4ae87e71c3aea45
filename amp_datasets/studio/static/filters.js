// Step 3: all filters on an image of the set; one of them with its settings, before and after, and six draws.
import { attempt, get, Lane, show } from "./api.js";
import { controlsOf } from "./controls.js";
import { count, h, has, put, t } from "./dom.js";
import { mixesPart } from "./mixes.js";

let remembered = { index: 0, name: null };

export function filtersPage(main, studio) {
  let filters = [];
  let harms = {};
  let total = 0;
  let labels = true;
  let chosen = remembered.name;
  let value = {};
  let closed = false;
  const lanes = { main: new Lane("main", true), strip: [0, 1, 2, 3, 4, 5].map((number) => new Lane(`strip${number}`)) };
  const named = h("span", { class: "wide", dir: "auto", id: "image-name" });
  const gallery = h("div", { class: "gallery", id: "gallery" });
  const editor = h("section", { id: "editor", "aria-label": t("settings") });
  const mixes = h("section", { id: "mixes" });
  const picture = (index, side, with_ = labels) => `api/images/${studio.state.generation}/${index}/shown?side=${side}&labels=${with_}`;
  const manifest = () => studio.state.manifest.text;

  put(main, h("h2", {}, t("step.filters")), h("p", { class: "soft" }, t("filters_about")),
    h("div", { class: "row" },
      h("button", { id: "previous-image", onclick: () => turn(-1), "aria-label": t("previous") }, "← ["),
      h("button", { id: "next-image", onclick: () => turn(1), "aria-label": t("next") }, "] →"), named,
      h("label", {}, h("input", { type: "checkbox", id: "labels", checked: true, onchange: (event) => { labels = event.target.checked; again(); } }), ` ${t("show_labels")} (b)`)),
    editor, h("h3", {}, t("all_filters")), gallery, mixes,
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => studio.open("counts") }, t("next_counts"))));

  const trial = (name, settings, more = {}) => ({
    generation: studio.state.generation, index: remembered.index, kind: "filters", name, value: Object.keys(settings).length ? settings : null, labels, ...more });

  async function load() {
    if (studio.state.reading.state !== "ready") { put(editor, h("p", { class: "soft" }, t("none_yet"))); put(gallery); return; }
    if (!filters.length) filters = (await get("filters")).filters;
    harms = (await get("harms")).harms;
    await turn(0);
    await mixesPart(mixes, studio, filters, () => remembered.index, () => labels);
  }

  async function turn(step) {
    const found = await get("images", { start: Math.max(0, remembered.index + step), count: 1 });
    total = found.total;
    if (!total) return;
    remembered.index = Math.min(Math.max(0, remembered.index + step), total - 1);
    const [tile] = (await get("images", { start: remembered.index, count: 1 })).tiles;
    named.textContent = `${count(remembered.index + 1)} / ${count(total)}  ${tile.name}`;
    again();
  }

  function again() {
    drawGallery();
    if (chosen) choose(chosen, value, false);
    else put(editor, h("p", { class: "soft" }, t("choose_filter")));
  }

  // The gallery asks for one image after the other, those in sight first, so that a slider is never behind it.
  const waiting = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { waiting.add(entry.target); watcher.unobserve(entry.target); }
    work();
  }, { rootMargin: "200px" });
  let working = false;
  async function work() {
    if (working) return;
    working = true;
    for (const card of waiting) {
      if (closed) break;
      waiting.delete(card);
      if (card.isConnected) await attempt(() => fill(card));
    }
    working = false;
  }

  async function fill(card) {
    const filter = filters.find((each) => each.name === card.dataset.name);
    const answer = await new Lane(`gallery-${filter.name}`).ask(trial(filter.name, inManifest(filter.name) ?? filter.example, { side: 300 }));
    if (!answer) return;
    const place = card.querySelector(".place");
    if (answer.refused) put(place, h("span", { class: "empty" }, answer.refused));
    else { const image = h("img", { alt: "" }); show(image, answer.url); put(place, image); }
  }

  function warnings(name) {
    return (harms[name] ?? []).map(([kind, which]) => t(`harm.${kind}`, { classes: which }));
  }

  function drawGallery() {
    watcher.disconnect();
    waiting.clear();
    put(gallery, filters.map((filter) => {
      const used = inManifest(filter.name) !== null;
      const card = h("button", { class: "filter", "data-name": filter.name, "aria-pressed": filter.name === chosen, onclick: () => { choose(filter.name); editor.scrollIntoView({ block: "nearest" }); } },
        h("span", { class: "place" }, h("span", { class: "empty" }, "…")), h("b", {}, used ? `✓ ${filter.name}` : filter.name),
        filter.roboflow ? h("small", {}, `Roboflow: ${filter.roboflow}`) : null, h("small", {}, about(filter)),
        warnings(filter.name).map((text) => h("small", { class: "warn" }, `⚠ ${text}`)));
      watcher.observe(card);
      return card;
    }));
  }

  const about = (filter) => (has(`filter.${filter.name}`) ? t(`filter.${filter.name}`) : filter.about);

  // The settings that the manifest has for a filter, as the text says them; null without.
  function inManifest(name) {
    const found = studio.state.manifest.filters ?? {};
    return name in found ? found[name] ?? {} : null;
  }

  function choose(name, settings = null, fresh = true) {
    chosen = name;
    remembered.name = name;
    const filter = filters.find((each) => each.name === name);
    if (!filter) return;
    value = settings && !fresh ? settings : { ...(inManifest(name) ?? filter.example) };
    for (const card of gallery.children) card.setAttribute("aria-pressed", card.dataset.name === name);
    const after = h("img", { id: "after", alt: t("after") });
    const facts = h("figcaption", { id: "facts", role: "status" });
    const strip = h("div", { class: "strip", id: "strip" }, [0, 1, 2, 3, 4, 5].map(() => h("figure", {}, h("img", { alt: t("draw") }), h("figcaption"))));
    const used = inManifest(name) !== null;
    put(editor, h("div", { class: "card" },
      h("div", { class: "row" }, h("h3", { class: "wide" }, name, filter.roboflow ? h("span", { class: "soft" }, `  (Roboflow: ${filter.roboflow})`) : null),
        h("button", { class: "main", id: "add-filter", onclick: save }, used ? t("update") : t("add_filter")),
        used ? h("button", { id: "remove-filter", onclick: () => studio.remove(["filters", name]) }, t("remove")) : null),
      h("p", {}, about(filter)), filter.caution ? h("p", { class: "soft" }, `${t("not_for")}: ${filter.caution}`) : null,
      warnings(name).map((text) => h("p", { class: "warn" }, `⚠ ${text}`)),
      controlsOf(filter, value, (settings_) => { value = settings_; render(); }),
      h("div", { class: "pair" },
        h("figure", {}, h("img", { id: "before", alt: t("before"), src: picture(remembered.index, 900) }), h("figcaption", {}, t("before"))),
        h("figure", {}, after, facts)),
      h("h3", {}, t("six_draws")), strip));

    async function render() {
      const answer = await attempt(() => lanes.main.ask(trial(name, value, { side: 900 })));
      if (!answer || closed || chosen !== name) return;
      if (answer.refused) { after.removeAttribute("src"); facts.textContent = `${t("refused")}: ${answer.refused} ${answer.detail}`; }
      else { show(after, answer.url); facts.textContent = told(answer); facts.dataset.ms = answer.ms; }
      clearTimeout(render.later);
      render.later = setTimeout(draws, 250);
    }

    async function draws() {
      const seed = studio.state.manifest.seed ?? 0;
      for (let number = 0; number < 6; number += 1) {
        if (closed || chosen !== name) return;
        const [image, caption] = strip.children[number].children;
        const answer = await attempt(() => lanes.strip[number].ask(trial(name, value, { side: 300, seed: seed + number })));
        if (!answer) continue;
        caption.textContent = number ? t("seed", { n: seed + number }) : t("seed_build", { n: seed });
        if (answer.refused) { image.removeAttribute("src"); caption.textContent = answer.refused; } else show(image, answer.url);
      }
    }

    async function save() {
      await studio.change(["filters", name], Object.keys(value).length ? value : null);
    }
    render();
  }

  attempt(load);
  return {
    changed: async ({ images, text }) => { if (images) await attempt(load); else if (text && filters.length) { again(); await mixesPart(mixes, studio, filters, () => remembered.index, () => labels); } },
    closed: () => { closed = true; watcher.disconnect(); },
    key: (event) => {
      if (event.key === "[") turn(-1);
      if (event.key === "]") turn(1);
      if (event.key === "b") { const box = document.getElementById("labels"); box.checked = !box.checked; labels = box.checked; again(); }
    },
  };
}

// What happened to the labels, in words.
export function told(facts) {
  const parts = [t("kept", { out: facts.labels_out, in: facts.labels_in })];
  if (facts.partial) parts.push(t("cut", { n: facts.partial }));
  if (facts.estimated) parts.push(t("estimated", { n: facts.estimated }));
  for (const [reason, number] of Object.entries(facts.dropped)) parts.push(`${number} × ${reason}`);
  if (facts.growth !== null && Math.abs(facts.growth) >= 0.02) parts.push(t("growth", { n: `${facts.growth > 0 ? "+" : ""}${Math.round(facts.growth * 100)}` }));
  return `${t("after")}: ${parts.join(" · ")} · ${facts.size[0]} × ${facts.size[1]} px`;
}
