// The page: its steps, the manifest beside them, and the state that all of them look at.
import { attempt, get, post } from "./api.js";
import { h, loadTexts, problems, put, say, t } from "./dom.js";
import { buildPage } from "./build.js";
import { countsPage } from "./counts.js";
import { filtersPage } from "./filters.js";
import { imagesPage } from "./images.js";
import { resultPage } from "./result.js";
import { sharePage } from "./share.js";
import { sourcesPage } from "./sources.js";

const STEPS = { sources: sourcesPage, images: imagesPage, filters: filtersPage, counts: countsPage, build: buildPage, result: resultPage, share: sharePage };

export const studio = {
  state: null,
  out: "build",
  page: null,
  open: (name) => open(name),
  // Every change of the manifest goes through here: the server answers with the new text.
  change: (path, value) => edit("change", { path, value }),
  remove: (path) => edit("change", { path, remove: true }),
  took: (state) => took(state),
};

async function edit(address, body) {
  const state = await attempt(() => post(address, body));
  if (state) { say(t("changed")); await took(state); }
  return state !== null;
}

async function took(state) {
  const before = studio.state;
  studio.state = state;
  drawManifest();
  const another = !before || before.generation !== state.generation || before.reading.state !== state.reading.state;
  const text = !before || before.manifest.text !== state.manifest.text;
  await studio.page?.changed?.({ images: another, text, checked: before?.checked !== state.checked });
  if (state.reading.state === "reading") {
    const { what, done, total } = state.reading;
    say(total ? `${t(what)} ${done} / ${total}` : t(what || "reading"));
  } else if (before?.reading.state === "reading") say("");
}

// While sets are read, or their findings looked for, the state is asked for again.
async function follow() {
  const waiting = !studio.state || studio.state.reading.state === "reading" || (studio.state.reading.state === "ready" && !studio.state.checked);
  if (waiting) await attempt(async () => took(await get("state")));
  setTimeout(follow, 700);
}

function drawTabs() {
  const tabs = document.getElementById("tabs");
  const names = Object.keys(STEPS);
  put(tabs, names.map((name, number) =>
    h("button", { role: "tab", id: `tab-${name}`, "aria-controls": "main", onclick: () => open(name),
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) { event.preventDefault(); open(names[(number + step + names.length) % names.length], true); }
      } }, `${number + 1} ${t(`step.${name}`)}`)));
  tabs.setAttribute("aria-label", t("steps"));
}

function open(name, focus = false) {
  for (const step of Object.keys(STEPS)) {
    const tab = document.getElementById(`tab-${step}`);
    tab.setAttribute("aria-selected", step === name);
    tab.tabIndex = step === name ? 0 : -1;
    if (step === name) {
      if (focus) tab.focus();
      tab.scrollIntoView({ block: "nearest", inline: "center" });
    }
  }
  studio.page?.closed?.();
  const main = document.getElementById("main");
  main.setAttribute("aria-labelledby", `tab-${name}`);
  put(main);
  if (studio.state?.reading.state !== "reading") say("");
  studio.page = STEPS[name](main, studio);
  history.replaceState(null, "", `#${name}`);
}

function drawManifest() {
  const aside = document.getElementById("manifest");
  const { manifest, command } = studio.state;
  if (!aside.firstChild) {
    const area = h("textarea", { id: "text", spellcheck: "false", autocapitalize: "off", "aria-label": t("manifest"),
      oninput: () => { aside.dataset.typed = "yes"; typed(); } });
    put(aside, h("h2", {}, t("manifest")), h("p", { class: "soft code", id: "manifest-path" }), area,
      h("div", { class: "row" },
        h("button", { id: "undo", onclick: () => edit("undo") }, t("undo")),
        h("button", { id: "redo", onclick: () => edit("redo") }, t("redo")),
        h("button", { id: "apply", class: "main", onclick: apply }, t("apply"))),
      h("div", { id: "manifest-problems" }),
      h("p", { class: "soft" }, t("same_command")), h("p", { class: "code", id: "command" }));
  }
  const area = document.getElementById("text");
  if (!aside.dataset.typed) area.value = manifest.text;
  document.getElementById("manifest-path").textContent = manifest.saved ? manifest.path : `${manifest.path} (${t("not_saved")})`;
  document.getElementById("undo").disabled = !manifest.undo;
  document.getElementById("redo").disabled = !manifest.redo;
  document.getElementById("command").textContent = studio.state.command_now ?? command;
  put(document.getElementById("manifest-problems"), problems(manifest.problems));
  typed();
}

function typed() {
  document.getElementById("apply").disabled = document.getElementById("text").value === studio.state.manifest.text;
}

async function apply() {
  if (await edit("manifest", { text: document.getElementById("text").value })) {
    delete document.getElementById("manifest").dataset.typed;
    drawManifest();
  }
}

document.addEventListener("keydown", (event) => {
  const inText = ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName);
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !inText) {
    event.preventDefault();
    edit(event.shiftKey ? "redo" : "undo");
  } else if (!inText && !event.ctrlKey && !event.metaKey && !event.altKey) studio.page?.key?.(event);
});

await loadTexts();
drawTabs();
await attempt(async () => took(await get("state")));
const asked = location.hash.slice(1);
open(asked in STEPS ? asked : "sources");
follow();
