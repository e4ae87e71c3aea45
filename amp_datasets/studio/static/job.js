// The work that runs beside the page, followed until it has ended.
import { attempt, get, post } from "./api.js";
import { count, h, problems, put, t } from "./dom.js";

// Shows the job of a kind in `place`; `done(result)` is called when it has ended well.
export function jobPart(place, kinds, done) {
  let closed = false;
  let told = null;

  async function follow() {
    if (closed) return;
    const job = await attempt(() => get("job"));
    if (job && kinds.includes(job.kind)) draw(job);
    setTimeout(follow, job?.state === "running" || job?.state === "stopping" ? 400 : 1500);
  }

  function draw(job) {
    const running = job.state === "running" || job.state === "stopping";
    const key = JSON.stringify([job.state, job.what, job.done, job.started]);
    if (key === told) return;
    const ended = !running && told !== null && !told.startsWith(`["${job.state}"`);
    told = key;
    const bar = h("progress", { "aria-label": t(job.what) });
    if (job.total) { bar.max = job.total; bar.value = job.done; }
    put(place, h("div", { class: "card", id: "job" },
      h("p", { role: "status", "data-state": job.state, id: "job-state" }, h("b", {}, t(`job.${job.state}`)), running ? ` ${t(job.what)}${job.total ? ` ${count(job.done)} / ${count(job.total)}` : ""}` : ""),
      running ? h("div", {}, bar, h("div", { class: "row" }, h("button", { id: "stop", disabled: job.state === "stopping", onclick: () => attempt(() => post("job/stop")) }, t("stop")))) : null,
      job.state === "stopped" ? h("p", {}, t("goes_on")) : null,
      problems(job.problems ?? []),
      (job.result?.text ?? []).map((line) => h("p", { dir: "auto" }, line)),
      h("p", { class: "code" }, job.job.command)));
    if (job.state === "done" && (ended || !running)) done?.(job);
  }

  follow();
  return { start: async (body) => { const job = await attempt(() => post("job", body)); if (job) draw(job); return job; }, close: () => { closed = true; } };
}
