// Who is it? A dialog that finds a person while a name is typed, with pictures; the likeliest stand first.

import { element } from "./dom.js";
import { ask } from "./messages.js";
import { face } from "./pictures.js";
import { season } from "./season.js";
import { percent, span } from "./words.js";

const MOST = 40;

/**
 * Ask for a person; gives the id, or null.
 *
 * `likely` are {id, probability} to be offered first, `without` ids that make no sense.
 */
export function askPerson(title, { likely = [], without = [] } = {}) {
  return ask(title, (close) => {
    const left = season.now.people.filter((person) => !without.includes(person.id));
    const chance = new Map(likely.map((one) => [one.id, one.probability]));
    // Sorting keeps people of the same chance (none) as they are: by screen time.
    const ordered = [...left].sort((a, b) => (chance.get(b.id) ?? -1) - (chance.get(a.id) ?? -1));
    const list = element("ul.choices", { role: "listbox", id: "choices", "aria-label": "People" });
    const input = element("input", {
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      autofocus: true,
      placeholder: "Type a name",
      "aria-label": "Name of the person",
      "aria-expanded": "true",
      "aria-controls": "choices",
      "aria-autocomplete": "list",
    });
    const rest = element("p.muted", { "aria-live": "polite" });
    let at = 0;
    let shown = [];

    const mark = () => {
      for (const [index, option] of [...list.children].entries()) option.setAttribute("aria-selected", index === at);
      const option = list.children[at];
      input.setAttribute("aria-activedescendant", option?.id ?? "");
      option?.scrollIntoView({ block: "nearest" });
    };
    const show = () => {
      const wanted = input.value.trim().toLocaleLowerCase();
      const found = ordered.filter((person) => person.label.toLocaleLowerCase().includes(wanted));
      shown = found.slice(0, MOST);
      at = 0;
      list.replaceChildren(...shown.map((person, index) => choice(person, index)));
      rest.textContent =
        found.length > MOST ? `and ${found.length - MOST} more: type on` : found.length ? "" : "Nobody is called that.";
      mark();
    };
    const choice = (person, index) => {
      const probability = chance.get(person.id);
      return element(
        "li",
        { role: "option", id: `choice-${index}`, onclick: () => close(person.id) },
        face(person.best_row, { size: 40 }),
        element("span.name", { title: person.label }, person.label),
        element("span.muted", {}, probability === undefined ? span(person.screen_time_s) : percent(probability)),
      );
    };
    input.addEventListener("input", show);
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && shown.length) {
        event.preventDefault();
        at = (at + step + shown.length) % shown.length;
        mark();
      } else if (event.key === "Enter" && shown[at]) {
        event.preventDefault();
        close(shown[at].id);
      }
    });
    show();
    return [input, list, rest];
  });
}
