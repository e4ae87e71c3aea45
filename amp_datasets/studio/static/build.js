// Step 5: build, with progress; stop, and go on.
import { h, put, t } from "./dom.js";
import { jobPart } from "./job.js";

export function buildPage(main, studio) {
  const out = h("input", { id: "out", value: studio.out, "aria-label": t("out"), oninput: () => { studio.out = out.value; command(); } });
  const shown = h("p", { class: "code", id: "build-command" });
  const place = h("div");
  const look = h("button", { class: "main", id: "to-result", hidden: true, onclick: () => studio.open("result") }, t("next_result"));
  put(main, h("h2", {}, t("step.build")), h("p", { class: "soft" }, t("build_about")),
    h("label", { class: "row" }, t("out"), out), shown,
    h("div", { class: "row" }, h("button", { class: "main", id: "build", onclick: build }, t("build"))), place, h("div", { class: "row" }, look));
  const job = jobPart(place, ["build"], () => { look.hidden = false; });

  function command() {
    shown.textContent = `${studio.state.command} -o ${out.value}`;
  }

  async function build() {
    look.hidden = true;
    await job.start({ kind: "build", out: out.value });
  }

  command();
  return { closed: job.close };
}
