// A grid of any length: only the tiles in sight exist, and their facts come in pages.
import { get } from "./api.js";
import { count, h, put, t } from "./dom.js";

const PAGE = 100;

export class Grid {
  // `address` gives {total, tiles}; `picture(tile)` is the address of a tile's image.
  constructor({ address, parameters, picture, open, label }) {
    Object.assign(this, { address, parameters, picture, open });
    this.total = 0;
    this.pages = new Map();
    this.tiles = new Map();
    this.inner = h("div");
    this.element = h("div", { class: "grid", tabindex: 0, role: "list", "aria-label": label }, this.inner);
    this.counted = h("p", { class: "soft", role: "status" });
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.move(event));
    new ResizeObserver(() => this.draw(true)).observe(this.element);
  }

  async load(parameters = this.parameters) {
    this.parameters = parameters;
    this.pages.clear();
    this.tiles.clear();
    put(this.inner);
    this.element.scrollTop = 0;
    await this.page(0);
    this.counted.textContent = t("images", { n: count(this.total) });
    this.draw(true);
  }

  page(number) {
    if (!this.pages.has(number)) {
      const asked = this.parameters;
      this.pages.set(number, get(this.address, { ...asked, start: number * PAGE, count: PAGE }).then((found) => {
        if (asked === this.parameters) this.total = found.total;
        return found.tiles;
      }));
    }
    return this.pages.get(number);
  }

  draw(again = false) {
    const width = this.element.clientWidth;
    if (!width) return;
    const columns = Math.max(2, Math.floor(width / 190));
    const side = width / columns;
    const height = Math.round(side * 0.75) + 44;
    this.columns = columns;
    this.inner.style.height = `${Math.ceil(this.total / columns) * height}px`;
    const first = Math.max(0, Math.floor(this.element.scrollTop / height) - 1) * columns;
    const last = Math.min(this.total, (Math.ceil((this.element.scrollTop + this.element.clientHeight) / height) + 1) * columns);
    for (const [number, tile] of this.tiles) {
      if (again || number < first || number >= last) { tile.remove(); this.tiles.delete(number); }
    }
    for (let number = first; number < last; number += 1) {
      if (!this.tiles.has(number)) this.add(number, { left: (number % columns) * side, top: Math.floor(number / columns) * height, width: side, height });
    }
  }

  add(number, place) {
    const image = h("img", { alt: "", decoding: "async" });
    const name = h("span", { dir: "auto" });
    const facts = h("span", { class: "soft" });
    const tile = h("button", { class: "tile", role: "listitem" }, image, name, facts);
    for (const [side, value] of Object.entries(place)) tile.style[side] = `${value}px`;
    this.tiles.set(number, tile);
    this.inner.append(tile);
    const asked = this.parameters;
    this.page(Math.floor(number / PAGE)).then((tiles) => {
      const found = tiles[number % PAGE];
      if (!found || asked !== this.parameters || this.tiles.get(number) !== tile) return;
      name.textContent = found.name;
      tile.title = found.name;
      facts.textContent = `${found.split} · ${t("labels", { n: count(found.labels) })}`;
      tile.setAttribute("aria-label", `${found.name}, ${facts.textContent}`);
      tile.dataset.index = found.index;
      image.src = this.picture(found);
      tile.addEventListener("click", () => this.open(found, number));
    }).catch(() => { this.pages.delete(Math.floor(number / PAGE)); });
  }

  async at(number) {
    if (number < 0 || number >= this.total) return null;
    return (await this.page(Math.floor(number / PAGE)))[number % PAGE];
  }

  move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[event.key];
    if (!step) return;
    const here = [...this.tiles].find(([, tile]) => tile === document.activeElement)?.[0] ?? -step;
    const next = this.tiles.get(here + step);
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    this.draw();
  }
}
