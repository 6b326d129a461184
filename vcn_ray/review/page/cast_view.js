// The cast: people by screen time, with the matrix of person and title; several are selected to be merged or named.

import { button, element, isPlain, px } from "./dom.js";
import { ask, askName, toast } from "./messages.js";
import { face } from "./pictures.js";
import { season } from "./season.js";
import { Selection } from "./selection.js";
import { VirtualList } from "./virtual_list.js";
import { counted, percent, shortSpan, span } from "./words.js";

const ORDERS = {
  time: ["Longest on screen", null],
  name: ["By name", (a, b) => (a.name === null) - (b.name === null) || a.label.localeCompare(b.label)],
  doubt: ["Least sure", (a, b) => (a.mean_confidence ?? 1) - (b.mean_confidence ?? 1)],
  tracks: ["Most tracks", (a, b) => b.tracks - a.tracks],
};

/** All people of the season. */
export class CastView {
  constructor(main) {
    this.main = main;
    this.selection = new Selection();
    this.filter = element("input", {
      type: "search",
      placeholder: "Filter by name",
      "aria-label": "Filter people by name",
    });
    this.order = element(
      "select",
      { "aria-label": "Order" },
      ...Object.entries(ORDERS).map(([key, [text]]) => element("option", { value: key }, text)),
    );
    this.merge = button("Merge", { class: "primary", title: "They are one person (m)", onclick: () => this.#merge() });
    this.name = button("Name…", { title: "Name the person (n)", onclick: () => this.#name() });
    this.nobody = button("Nobody in particular", {
      title: "Extras: their tracks become Unknown for good",
      onclick: () => this.#takeOut("nobody"),
    });
    this.noFace = button("Not a face", {
      title: "All their tracks show no face",
      onclick: () => this.#takeOut("not-a-face"),
    });
    this.said = element("span.selected", { "aria-live": "polite" });
    this.bar = element(
      "div.toolbar",
      { role: "toolbar", "aria-label": "What to do with the people selected" },
      element("div.group", {}, this.filter, this.order),
      element("div.group", {}, this.said, this.merge, this.name, this.nobody, this.noFace),
    );
    this.header = element("div.row.columns", { role: "row" });
    this.list = new VirtualList({
      scroller: main,
      sticky: [this.bar, this.header],
      header: this.header,
      label: "Cast, by title",
      rowHeight: () => 54,
      keyOf: (person) => person.id,
      nameOf: (person) => person.label,
      cells: (person) => this.#cells(person),
      selection: this.selection,
      onOpen: (person) => (location.hash = `#/people/${person.id}`),
      onKey: (event) => this.#key(event),
    });
    this.list.element.classList.add("cast");
    this.empty = element("p.empty");
    main.replaceChildren(element("h1.unseen", {}, "Cast"), this.bar, this.list.element, this.empty);
    this.filter.addEventListener("input", () => this.#show());
    this.order.addEventListener("change", () => this.#show());
    this.selection.addEventListener("change", () => this.#showSelection());
    this.barWatch = new ResizeObserver(() => px(this.list.element, "--covered", this.bar.offsetHeight));
    this.barWatch.observe(this.bar);
    this.update({});
  }

  close() {
    this.barWatch.disconnect();
    this.list.close();
  }

  /** The season is another one; `moved` says what ids are called now. */
  update(moved) {
    const titles = season.now.titles;
    this.list.element.style.setProperty("--titles", titles.length);
    this.list.element.classList.toggle("narrow", titles.length > 14);
    this.most = Math.max(1e-9, ...season.now.people.flatMap((person) => person.by_title));
    const head = (text, classes = "") => element(`div.cell${classes}`, { role: "columnheader" }, text);
    this.header.replaceChildren(
      head(element("span.unseen", {}, "Selected"), ".check"),
      head(element("span.unseen", {}, "Picture")),
      head("Person", ".who"),
      head("Screen time", ".number"),
      head("Tracks", ".number"),
      head("Sure", ".number.sure"),
      ...titles.map((title) =>
        element("div.cell.of", { role: "columnheader", title: title.id }, element("span", {}, title.id)),
      ),
    );
    this.selection.rename((id) => (id in moved ? moved[id] : season.person(id) ? id : null));
    this.#show();
    this.#showSelection();
  }

  /** Keys anywhere in the view. */
  key(event) {
    if (event.key === "/") this.filter.focus();
    else if (event.key === "Escape") this.selection.clear();
    else return isPlain(event) && this.#key(event);
    return true;
  }

  #key(event) {
    if (event.key === "m") void this.#merge();
    else if (event.key === "n") void this.#name();
    else return false;
    return true;
  }

  #show() {
    const wanted = this.filter.value.trim().toLocaleLowerCase();
    let people = season.now.people.filter((person) => person.label.toLocaleLowerCase().includes(wanted));
    const order = ORDERS[this.order.value][1];
    if (order) people = [...people].sort(order);
    this.list.show({ count: people.length, at: (index) => people[index], load: async () => {} });
    this.empty.hidden = people.length > 0;
    this.empty.textContent = wanted
      ? `Nobody is called “${this.filter.value.trim()}”.`
      : "There is nobody in this season yet: all tracks are Unknown.";
  }

  #showSelection() {
    const { size } = this.selection;
    this.said.textContent = size ? `${counted(size, "person", "people")} selected` : "Nobody selected";
    this.merge.disabled = size < 2;
    this.name.disabled = size !== 1;
    this.nobody.disabled = this.noFace.disabled = size === 0;
  }

  #cells(person) {
    const link = `#/people/${person.id}`;
    const cell = (classes, ...children) => element(`div.cell${classes}`, { role: "gridcell" }, ...children);
    const under = [];
    if (person.name !== null && person.number !== null) under.push(`Cast ${person.number}`);
    if (person.name_confidence !== null) under.push(`name ${percent(person.name_confidence)}`);
    const of = (seconds, index) => {
      const title = season.now.titles[index].id;
      const text = `${title}: ${seconds ? span(seconds) : "not seen"}`;
      const shade = element("span.shade", { "aria-hidden": "true" }, seconds ? shortSpan(seconds) : "");
      shade.style.setProperty("--share", seconds ? 0.1 + 0.9 * Math.sqrt(seconds / this.most) : 0);
      return element("div.cell.in", { role: "gridcell", title: text, "aria-label": text }, shade);
    };
    return [
      cell(
        ".pic",
        element("a", { href: link, tabindex: -1, "aria-hidden": "true" }, face(person.best_row, { later: true })),
      ),
      element(
        "div.cell.who",
        { role: "rowheader" },
        element("a", { href: link, tabindex: -1, title: person.label }, person.label),
        under.length ? element("small", {}, under.join(" · ")) : null,
      ),
      cell(".number", span(person.screen_time_s)),
      cell(".number", String(person.tracks)),
      cell(".number.sure", percent(person.mean_confidence)),
      ...person.by_title.map(of),
    ];
  }

  // Those selected, the one longest on screen first; where none is, the one that the keyboard is on.
  #chosen() {
    const ids = new Set(this.selection.keys);
    const focused = this.list.focused();
    if (!ids.size && focused) ids.add(focused.id);
    return season.now.people.filter((person) => ids.has(person.id));
  }

  async #merge() {
    const people = this.#chosen();
    if (people.length < 2) return void toast("Select two people or more to merge them.");
    const names = new Set(people.map((person) => person.name).filter((name) => name !== null));
    if ((names.size > 1 || people.length > 3) && !(await sure("Merge", "they are one person", people))) return;
    const [first, ...rest] = people.map((person) => person.id);
    await season.say("merge", { people: [first], other_people: rest });
  }

  async #name() {
    const [person, ...more] = this.#chosen();
    if (!person || more.length) return void toast("Select one person to name.");
    await nameThem(person);
  }

  async #takeOut(kind) {
    const people = this.#chosen();
    const what = kind === "nobody" ? "they are nobody in particular" : "what they show is no face";
    if (await sure(kind === "nobody" ? "Nobody in particular" : "Not a face", what, people)) {
      await season.say(kind, { people: people.map((person) => person.id) });
    }
  }
}

/** Ask for a person's name, and say it. */
async function nameThem(person) {
  const hint = (name) => {
    const same = season.now.people.find((other) => other.name === name && other.id !== person.id);
    return same ? `There is somebody of this name: this makes them one person.` : "";
  };
  const name = await askName(`Name ${person.label}`, person.name ?? "", season.names, hint);
  if (name !== null && name !== person.name) await season.say("name", { people: [person.id], name });
}

/** Whether somebody means it, of people with pictures. */
function sure(title, what, people) {
  return ask(title, (close) =>
    [
      element("p", {}, `Say of these ${counted(people.length, "person", "people")} that ${what}?`),
      element(
        "ul.faces",
        {},
        ...people
          .slice(0, 24)
          .map((person) =>
            element(
              "li",
              {},
              face(person.best_row, { size: 64 }),
              element("span.name", { title: person.label }, person.label),
            ),
          ),
      ),
      people.length > 24 ? element("p.muted", {}, `and ${people.length - 24} more`) : null,
      element(
        "div.actions",
        {},
        button("Cancel", { onclick: () => close(null) }),
        button(title, { class: "primary", autofocus: true, onclick: () => close(true) }),
      ),
    ].filter((node) => node !== null),
  );
}
