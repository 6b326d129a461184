// A list of thousands of rows of one height, of which only those in sight are in the page; rows are selected by mouse,
// finger and keyboard. For screen readers it is a grid that says how many rows it has.
//
// Its `source` is {count, at(index), load(first, last)}: `at` gives an item, or undefined while it is being fetched.

import { element, isPlain, px } from "./dom.js";
import { dropPictures, showPictures } from "./pictures.js";

const SPARE_ROWS = 4;
const STANDS_STILL_MS = 70;

export class VirtualList {
  /**
   * scroller: what scrolls; sticky: nodes that cover its upper edge; header: a row of column headers, or none;
   * label: for screen readers; rowHeight(): pixels; keyOf(item): what is selected;
   * cells(item, index): nodes of a row; nameOf(item): of its checkbox;
   * selection; onOpen(item): Enter, double click; onKey(event, item, index): other keys, true where it was one.
   */
  constructor(options) {
    Object.assign(this, { source: { count: 0, at: () => undefined, load: async () => {} }, focus: 0 }, options);
    this.root = element("div.rows", { role: "rowgroup" });
    const grid = { role: "grid", "aria-label": this.label, "aria-multiselectable": "true" };
    this.element = element("div.grid", grid, this.header ?? null, this.root);
    this.rows = new Map();
    this.height = this.rowHeight();
    this.root.addEventListener("click", (event) => this.#click(event));
    this.root.addEventListener("dblclick", (event) => this.#doubleClick(event));
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.root.addEventListener("focusin", (event) => this.#focusIn(event));
    this.selection.addEventListener("change", () => this.#showSelection());
    this.onScroll = () => this.#later();
    this.scroller.addEventListener("scroll", this.onScroll, { passive: true });
    this.watch = new ResizeObserver(() => {
      this.height = this.rowHeight();
      this.draw();
    });
    this.watch.observe(this.scroller);
  }

  /** Listen to nothing any more. */
  close() {
    this.scroller.removeEventListener("scroll", this.onScroll);
    this.watch.disconnect();
    clearTimeout(this.still);
  }

  /** Show another source, or the same one with other items. */
  show(source) {
    this.source = source;
    this.focus = Math.max(0, Math.min(this.focus, source.count - 1));
    this.element.setAttribute("aria-rowcount", source.count + (this.header ? 1 : 0));
    const inside = this.root.contains(document.activeElement) && document.activeElement.closest(".row");
    this.draw();
    if (inside && !this.root.contains(document.activeElement)) this.goTo(this.focus);
  }

  #later() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw(true);
    });
  }

  /** First and last index in sight. */
  inSight() {
    const above = this.scroller.getBoundingClientRect().top - this.root.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(above / this.height));
    const last = Math.floor((above + this.scroller.clientHeight) / this.height);
    return [Math.min(first, this.source.count), Math.min(last, this.source.count - 1)];
  }

  /** Put the rows in sight into the page, and take the others out. */
  draw(scrolling = false) {
    px(this.root, "height", this.height * this.source.count);
    let [first, last] = this.inSight();
    [first, last] = [Math.max(0, first - SPARE_ROWS), Math.min(this.source.count - 1, last + SPARE_ROWS)];
    const wanted = [];
    for (let index = first; index <= last; index += 1) wanted.push(index);
    // The row with the focus stays, or the keyboard would fall out of the list when it is scrolled away.
    const focused = this.root.contains(document.activeElement) && this.focus < this.source.count;
    if (focused && this.focus < first) wanted.unshift(this.focus);
    if (focused && this.focus > last) wanted.push(this.focus);

    const rows = new Map();
    for (const index of wanted) this.#place(index, rows);
    for (const [key, row] of this.rows) {
      if (rows.has(key)) continue;
      dropPictures(row);
      row.remove();
    }
    this.rows = rows;
    let before = null;
    for (const row of [...rows.values()].reverse()) {
      if (row.nextSibling !== before || row.parentNode !== this.root) this.root.insertBefore(row, before);
      before = row;
    }
    if (this.refocus) this.#setFocus(this.focus);
    this.refocus = false;
    clearTimeout(this.still);
    if (scrolling) this.still = setTimeout(() => showPictures(this.root), STANDS_STILL_MS);
    else showPictures(this.root);
    if (wanted.some((index) => this.source.at(index) === undefined)) void this.#fetch(this.source, first, last);
  }

  async #fetch(source, first, last) {
    await source.load(first, last);
    if (source === this.source) this.draw();
  }

  #place(index, rows) {
    const item = this.source.at(index);
    const key = item === undefined ? `waits ${index}` : this.keyOf(item);
    let row = this.rows.get(key);
    // After a correction items are new objects; rows of those that say the same stay, and their pictures with them.
    if (!row || (row.item !== item && JSON.stringify(row.item) !== JSON.stringify(item))) {
      const cells = item === undefined ? [] : [this.#checkCell(item), ...this.cells(item, index)];
      const made = element(item === undefined ? "div.row.waits" : "div.row", { role: "row" }, ...cells);
      if (row && row.contains(document.activeElement)) this.refocus = true;
      row?.remove();
      row = made;
    }
    Object.assign(row, { key, index, item });
    row.setAttribute("aria-rowindex", index + (this.header ? 2 : 1));
    row.tabIndex = index === this.focus ? 0 : -1;
    px(row, "height", this.height);
    row.style.transform = `translateY(${index * this.height}px)`;
    this.#mark(row);
    rows.set(key, row);
  }

  #checkCell(item) {
    const box = element("input", { type: "checkbox", tabindex: -1, "aria-label": `Select ${this.nameOf(item)}` });
    return element("div.cell.check", { role: "gridcell" }, element("label", {}, box));
  }

  #mark(row) {
    const on = this.selection.has(row.key);
    row.setAttribute("aria-selected", on);
    const box = row.querySelector("input[type=checkbox]");
    if (box) box.checked = on;
  }

  #showSelection() {
    for (const row of this.rows.values()) this.#mark(row);
  }

  // Mouse and finger: a box switches one; else as in any list of files (Ctrl, Shift). A finger always switches.
  #click(event) {
    const row = event.target.closest(".row");
    if (!row || row.classList.contains("waits")) return;
    const inCheck = event.target.closest(".check") !== null;
    if (!inCheck && event.target.closest("a,button,select")) return;
    // The browser clicks the box once more for its label.
    if (inCheck && event.target.tagName !== "INPUT") {
      if (!event.target.closest("label")) event.target.querySelector("input")?.click();
      return;
    }
    this.#setFocus(row.index);
    if (event.shiftKey) return void this.#selectRange(row.index, event.ctrlKey || event.metaKey || inCheck);
    this.selection.from = row.index;
    if (inCheck || event.ctrlKey || event.metaKey || event.pointerType === "touch") this.selection.toggle(row.key);
    else this.selection.set([row.key]);
  }

  #doubleClick(event) {
    const row = event.target.closest(".row");
    if (!row || event.target.closest("a,button,select,.check")) return;
    this.onOpen?.(this.source.at(row.index), row.index);
  }

  async #selectRange(index, alsoOthers) {
    const [first, last] = [Math.min(this.selection.from, index), Math.max(this.selection.from, index)];
    const source = this.source;
    await source.load(first, last);
    const keys = [];
    for (let at = first; at <= last; at += 1) {
      const item = source.at(at);
      if (item !== undefined) keys.push(this.keyOf(item));
    }
    if (alsoOthers) this.selection.add(keys);
    else this.selection.set(keys);
  }

  /** The item that the keyboard is on; undefined where it is elsewhere. */
  focused() {
    return this.root.contains(document.activeElement) ? this.source.at(this.focus) : undefined;
  }

  async selectAll() {
    const from = this.selection.from;
    this.selection.from = 0;
    await this.#selectRange(this.source.count - 1, false);
    this.selection.from = from;
  }

  #key(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height) - 1);
    const to = {
      ArrowDown: this.focus + 1,
      ArrowUp: this.focus - 1,
      PageDown: this.focus + page,
      PageUp: this.focus - page,
      Home: 0,
      End: this.source.count - 1,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (event.shiftKey && !this.selection.size) this.selection.from = this.focus;
      this.goTo(to);
      if (event.shiftKey) void this.#selectRange(this.focus, false);
      return;
    }
    if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void this.selectAll();
      return;
    }
    // Keys of a button in a row are the button's.
    const item = this.source.at(row.index);
    if (item === undefined || event.target.closest("a,button,select")) return;
    if (event.key === " ") {
      event.preventDefault();
      this.selection.from = row.index;
      this.selection.toggle(row.key);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.onOpen?.(item, row.index);
    } else if (isPlain(event) && this.onKey?.(event, item, row.index)) {
      event.preventDefault();
    }
  }

  #focusIn(event) {
    const row = event.target.closest(".row");
    if (row && row.index !== this.focus) this.#setFocus(row.index, false);
  }

  #setFocus(index, take = true) {
    this.focus = index;
    for (const row of this.rows.values()) row.tabIndex = row.index === index ? 0 : -1;
    const row = [...this.rows.values()].find((one) => one.index === index);
    if (take) row?.focus({ preventScroll: true });
  }

  /** Bring a row into sight and put the keyboard there. */
  goTo(index) {
    if (!this.source.count) return;
    this.focus = Math.max(0, Math.min(index, this.source.count - 1));
    const covered = (this.sticky ?? []).reduce((sum, node) => sum + node.offsetHeight, 0);
    const edge = this.scroller.getBoundingClientRect().top;
    const top = this.root.getBoundingClientRect().top - edge + this.focus * this.height;
    if (top < covered) this.scroller.scrollTop += top - covered;
    const below = top + this.height - this.scroller.clientHeight;
    if (below > 0) this.scroller.scrollTop += below;
    this.draw();
    this.#setFocus(this.focus);
  }
}
