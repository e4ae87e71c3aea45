// Step 7: the build in other formats, as a zip, on a hub; a push is first only shown.
import { attempt, get } from "./api.js";
import { field, h, put, t } from "./dom.js";
import { jobPart } from "./job.js";

export function sharePage(main, studio) {
  const format = h("select", { id: "format" });
  const out = h("input", { id: "export-out", value: "export", "aria-label": t("out") });
  const zipped = h("input", { type: "checkbox", id: "zipped" });
  const repo = h("input", { id: "repo", placeholder: "owner/name", value: studio.state.manifest.value.hub?.repo ?? "", oninput: () => { push.disabled = true; } });
  const open = h("input", { type: "checkbox", id: "private", checked: true });
  const push = h("button", { id: "push", disabled: true, onclick: () => publish(false) }, t("push"));
  const write = h("button", { class: "main", id: "export", disabled: true, onclick: () => start({ kind: "export", to: format.value, out: out.value, zipped: zipped.checked }) }, t("export"));
  const place = h("div");
  put(main, h("h2", {}, t("step.share")), h("p", { class: "soft" }, t("share_about", { name: studio.out })),
    h("section", { class: "card" }, h("h3", {}, t("export")), h("div", { class: "row" }, field(t("format"), format), field(t("out"), out), h("label", {}, zipped, ` ${t("as_zip")}`),
      write)),
    h("section", { class: "card" }, h("h3", {}, t("publish")), h("p", { class: "soft" }, t("publish_about")),
      h("div", { class: "row" }, field(t("repo"), repo), h("label", {}, open, ` ${t("private")}`),
        h("button", { class: "main", id: "dry-run", onclick: () => publish(true) }, t("dry_run")), push)), place);
  const job = jobPart(place, ["export", "publish"], (ended) => {
    push.disabled = !(ended.kind === "publish" && ended.job.dry_run && (ended.job.repo ?? "") === repo.value);
  });

  async function start(body) {
    if (await attempt(() => get("result", { out: studio.out }))) await job.start(body);
  }

  async function publish(dry) {
    push.disabled = true;
    await start({ kind: "publish", repo: repo.value, private: open.checked, dry_run: dry });
  }

  attempt(async () => {
    put(format, (await get("formats")).formats.map((name) => h("option", { value: name }, name)));
    format.value = "yolo";
    write.disabled = false;
  });
  return { closed: job.close };
}
