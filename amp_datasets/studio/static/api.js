// What the page asks of the studio. Every address is relative to the page's own, which holds the token.
import { say } from "./dom.js";

export class Refused extends Error {
  constructor(problems, status) {
    super(problems.map((each) => [each.what, each.fix].filter(Boolean).join(" — ")).join("; "));
    this.problems = problems;
    this.status = status;
  }
}

async function checked(response) {
  if (response.ok) return response;
  let problems = [{ what: `${response.status} ${response.statusText}` }];
  try {
    const body = await response.json();
    if (body.problems) problems = body.problems;
    else if (body.detail) problems = [{ what: JSON.stringify(body.detail) }];
  } catch { /* an answer without JSON has its status */ }
  throw new Refused(problems, response.status);
}

export async function get(address, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return (await checked(await fetch(`api/${address}${query ? `?${query}` : ""}`))).json();
}

export async function post(address, body = undefined) {
  const options = { method: "POST" };
  if (body !== undefined) Object.assign(options, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  return (await checked(await fetch(`api/${address}`, options))).json();
}

export async function upload(file) {
  const address = `api/upload?${new URLSearchParams({ name: file.name })}`;
  return (await checked(await fetch(address, { method: "PUT", body: file }))).json();
}

// One picture at a time: while a request runs only the newest wish is remembered, and an old answer is never shown.
const window_ = Math.random().toString(36).slice(2);
let serial = 0;

export class Lane {
  constructor(slot, first = false) {
    this.slot = `${window_}-${slot}`;
    this.first = first;
    this.running = null;
  }

  async ask(body) {
    serial += 1;
    const mine = serial;
    this.newest = mine;
    this.running?.abort();
    const control = new AbortController();
    this.running = control;
    try {
      const response = await checked(await fetch("api/try", {
        method: "POST", signal: control.signal, headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...body, slot: this.slot, serial: mine, first: this.first }),
      }));
      if (this.newest !== mine || response.status === 204) return null;
      if (!response.headers.get("content-type").startsWith("image/")) return await response.json();
      const facts = JSON.parse(response.headers.get("x-amp-facts"));
      const blob = await response.blob();
      return this.newest === mine ? { ...facts, url: URL.createObjectURL(blob) } : null;
    } catch (error) {
      if (error.name === "AbortError" || this.newest !== mine) return null;
      throw error;
    } finally {
      if (this.running === control) this.running = null;
    }
  }
}

export function show(image, url) {
  const old = image.dataset.blob;
  image.src = url;
  if (old) URL.revokeObjectURL(old);
  if (url.startsWith("blob:")) image.dataset.blob = url;
}

// Runs an action of the user's; what goes wrong is said, not swallowed.
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message, true);
    return null;
  }
}
