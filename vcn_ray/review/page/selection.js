// What is selected of a list: keys (ids of people, rows of tracks), whatever is drawn at the moment.

/** Says "change" whenever it is another one. */
export class Selection extends EventTarget {
  #keys = new Set();
  /** Index of the row that a range (shift) begins at. */
  from = 0;

  get size() {
    return this.#keys.size;
  }

  /** Keys, in the order in which they were selected. */
  get keys() {
    return [...this.#keys];
  }

  has(key) {
    return this.#keys.has(key);
  }

  /** Select exactly these. */
  set(keys) {
    this.#keys = new Set(keys);
    this.#say();
  }

  add(keys) {
    for (const key of keys) this.#keys.add(key);
    this.#say();
  }

  toggle(key) {
    if (!this.#keys.delete(key)) this.#keys.add(key);
    this.#say();
  }

  clear() {
    if (this.#keys.size) this.set([]);
  }

  /** After a change: keys that have another name now take it, those that are gone go. */
  rename(nameNow) {
    this.set([...this.#keys].map(nameNow).filter((key) => key !== null && key !== undefined));
  }

  #say() {
    this.dispatchEvent(new Event("change"));
  }
}
