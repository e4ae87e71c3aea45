// Step 1: which sets, as what they were read, and what is wrong with them.
import { attempt, get, post, upload } from "./api.js";
import { count, h, problems, put, say, t } from "./dom.js";

export function sourcesPage(main, studio) {
  const path = h("input", { class: "wide", id: "source-path", placeholder: t("source_example"), "aria-label": t("source_path"),
    onkeydown: (event) => { if (event.key === "Enter") add(); } });
  const file = h("input", { type: "file", accept: ".zip", "aria-label": t("choose_zip"), onchange: () => send(file.files[0]) });
  const drop = h("div", { class: "drop", id: "drop" }, h("p", {}, t("drop")), file);
  const list = h("div", { id: "source-list" });
  const found = h("div", { id: "findings" });
  put(main, h("h2", {}, t("step.sources")), h("p", { class: "soft" }, t("sources_about")),
    h("div", { class: "row" }, path, h("button", { class: "main", id: "add-source", onclick: add }, t("add"))), drop, list,
    h("h3", {}, t("findings")), found,
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => studio.open("images") }, t("next_images"))));

  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const dropped = event.dataTransfer.files[0];
    const words = event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain");
    if (dropped && dropped.name.toLowerCase().endsWith(".zip")) send(dropped);
    else if (words) { path.value = decodeURIComponent(words.split("\n")[0].trim().replace(/^file:\/\//, "")); add(); }
    else say(t("drop_folder"), true);
  });

  async function add() {
    if (!path.value.trim()) return;
    const state = await attempt(() => post("sources", { path: path.value }));
    if (state) { path.value = ""; await studio.took(state); }
  }

  async function send(chosen) {
    if (!chosen) return;
    say(t("uploading", { name: chosen.name }));
    const state = await attempt(() => upload(chosen));
    if (state) { say(""); await studio.took(state); }
  }

  function draw() {
    const { reading, sources } = studio.state;
    put(list, reading.state === "empty" ? h("p", {}, t("no_source")) : null, problems(reading.state === "problem" ? reading.problems : []),
      sources.map((source, number) => h("div", { class: "card" },
        h("div", { class: "row" }, h("b", { class: "wide", dir: "auto" }, source.path),
          h("button", { onclick: () => studio.remove(["sources", number]), "aria-label": `${t("remove")} ${source.path}` }, t("remove"))),
        source.reason
          ? h("div", {}, h("div", { class: "soft" }, source.reason),
            h("div", {}, t("source_counts", { images: count(source.images), labels: count(source.labels), classes: count(source.classes.length) })),
            h("div", { class: "chips" }, source.classes.slice(0, 40).map((name) => h("span", { class: "chip", dir: "auto" }, name)),
              source.classes.length > 40 ? h("span", { class: "soft" }, `+${source.classes.length - 40}`) : null))
          : reading.state === "reading" ? h("progress", { "aria-label": t("reading") }) : null)));
  }

  async function drawFindings() {
    if (studio.state.reading.state !== "ready") { put(found, h("p", { class: "soft" }, t("none_yet"))); return; }
    if (!studio.state.checked) { put(found, h("p", { class: "soft" }, t("checking")), h("progress", { "aria-label": t("checking") })); return; }
    const { findings } = await get("findings");
    const facets = await get("facets");
    put(found, findings.length ? null : h("p", { class: "good" }, t("no_findings")), findings.map((each) => h("details", { class: "card" },
      h("summary", {}, h("span", { class: { error: "bad", warning: "warn", note: "soft" }[each.severity] }, t(each.severity)),
        ` ${each.rule} · ${count(each.count)} × ${each.title}`),
      h("p", {}, `${t("fix")}: ${each.fix}`),
      h("ul", {}, each.files.slice(0, 50).map(({ file: name, what }) => h("li", { dir: "auto" }, what === each.title ? name : `${name}: ${what}`))))),
      Object.entries(facets.dropped).map(([reason, number]) => h("p", { class: "warn" }, `${count(number)} × ${reason}`)));
  }

  draw();
  attempt(drawFindings);
  return { changed: async ({ images, checked }) => { draw(); if (images || checked) await attempt(drawFindings); } };
}
