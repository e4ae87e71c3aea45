// Step 6: the finished build: a grid by variant, an image beside its source, its line of the ledger, made again.
import { attempt, get, post } from "./api.js";
import { Grid } from "./grid.js";
import { count, field, h, openDialog, put, t } from "./dom.js";

export function resultPage(main, studio) {
  const chosen = { spec: "", split: "", name: "" };
  const select = (name) => h("select", { id: `result-${name}`, onchange: (event) => { chosen[name] = event.target.value; attempt(() => grid.load({ ...chosen })); } });
  const spec = select("spec");
  const split = select("split");
  const search = h("input", { type: "search", id: "result-name", onchange: () => { chosen.name = search.value; attempt(() => grid.load({ ...chosen })); } });
  const grid = new Grid({ address: "result/images", parameters: { ...chosen }, label: t("step.result"), open: (tile, number) => look(number),
    picture: (tile) => `api/result/images/${tile.index}/shown?side=320` });
  const refused = h("div");
  const folder = h("input", { "aria-label": t("out"), value: studio.out, onchange: () => { studio.out = folder.value; attempt(load); } });
  put(main, h("h2", {}, t("step.result")), h("div", { class: "row" }, field(t("out"), folder), h("button", { onclick: () => attempt(load) }, t("open"))),
    h("div", { class: "row" }, field(t("variant"), spec), field(t("split"), split), field(t("name"), search)),
    grid.counted, grid.element, refused, h("div", { class: "row" }, h("button", { class: "main", onclick: () => studio.open("share") }, t("next_share"))));

  async function load() {
    const found = await get("result", { out: studio.out });
    const options = (known) => [h("option", { value: "" }, t("all")), ...Object.entries(known).map(([name, number]) => h("option", { value: name }, `${name} (${count(number)})`))];
    put(spec, options(found.variants));
    put(split, options(found.splits));
    put(refused, Object.entries(found.refused).slice(0, 50).map(([why, number]) => h("p", { class: "warn", dir: "auto" }, `${count(number)} × ${why}`)));
    await grid.load({ ...chosen });
  }

  async function look(number) {
    const tile = await grid.at(number);
    if (!tile) return;
    const { line, steps, before } = await get(`result/images/${tile.index}`);
    const picture = (index) => `api/result/images/${index}/shown?side=1000`;
    const again = h("p", { id: "again", role: "status" });
    const dialog = openDialog(tile.name,
      h("div", { class: "row" }, h("button", { onclick: () => look(number - 1), "aria-label": t("previous") }, "←"), h("button", { onclick: () => look(number + 1), "aria-label": t("next") }, "→"),
        h("button", { class: "main", id: "make-again", onclick: async () => {
          again.textContent = t("making");
          const made = await attempt(() => post(`result/images/${tile.index}/again`));
          if (!made) { again.textContent = ""; return; }
          again.className = made.same_image && made.same_labels ? "good" : "bad";
          again.textContent = made.same_image && made.same_labels ? t("same") : `${t("not_same")}: ${made.differences.join("; ")}`;
        } }, t("make_again"))), again,
      h("div", { class: before === null ? "" : "pair" },
        before === null ? null : h("figure", {}, h("img", { alt: t("before"), src: picture(before) }), h("figcaption", {}, t("before"))),
        h("figure", {}, h("img", { alt: t("after"), src: picture(tile.index) }), h("figcaption", {}, t("after")))),
      h("h3", {}, t("ledger_line")), h("pre", { class: "code", tabindex: 0 }, JSON.stringify({ ...line, steps }, null, 2)));
    dialog.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step && event.target.tagName !== "PRE") look(number + step);
    };
  }

  attempt(load);
  return {};
}
