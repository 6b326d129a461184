// What the page says by itself: short notes that go away, and dialogs. Screen readers hear the notes (aria-live).

import { button, element } from "./dom.js";

const STAYS_MS = 6000;
const STAYS_BRIEF_MS = 2500;
const MOST = 3;

/** A note of what was done; with `undo`, a button that takes it back. */
export function toast(text, { undo = null, brief = false, bad = false } = {}) {
  const place = document.getElementById("toasts");
  const note = element(bad ? "div.toast.bad" : "div.toast", bad ? { role: "alert" } : {}, element("span", {}, text));
  let timer = 0;
  const away = () => {
    clearTimeout(timer);
    note.remove();
  };
  const wait = () => {
    timer = setTimeout(away, bad ? 2 * STAYS_MS : brief ? STAYS_BRIEF_MS : STAYS_MS);
  };
  if (undo) {
    note.append(
      button("Undo", {
        class: "link",
        onclick: () => {
          away();
          undo();
        },
      }),
    );
  }
  note.append(button("✕", { class: "link", "aria-label": "Close this note", onclick: away }));
  // Who reads or aims at a note is not to lose it.
  for (const type of ["pointerenter", "focusin"]) note.addEventListener(type, () => clearTimeout(timer));
  for (const type of ["pointerleave", "focusout"]) note.addEventListener(type, wait);
  bringToFront();
  place.append(note);
  while (place.childElementCount > MOST) place.firstElementChild.remove();
  wait();
}

// A dialog lies over everything that is not in it, so notes go into the uppermost one, and out again when it closes.
function bringToFront() {
  const home = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  const place = document.getElementById("toasts");
  if (place.parentElement !== home) home.append(place);
}
document.addEventListener("close", bringToFront, true);

/** A sentence about what did not work. */
export function toastError(text) {
  toast(text, { bad: true });
}

/** Open a dialog made of nodes; gives back what `close(value)` of `fill` was given, or null (Esc, ✕). */
export function ask(title, fill) {
  return new Promise((resolve) => {
    let answer = null;
    const dialog = element("dialog.asking", { "aria-label": title });
    const close = (value) => {
      answer = value;
      dialog.close();
    };
    const cross = button("✕", {
      class: "icon",
      "aria-label": "Close",
      title: "Close (Esc)",
      onclick: () => close(null),
    });
    dialog.append(element("header", {}, element("h2", {}, title), cross), ...fill(close));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  });
}

/** Ask for a name; `known` are offered while it is typed. Gives the name, or null. */
export function askName(title, current, known, hint) {
  return ask(title, (close) => {
    const input = nameInput(current, known);
    const said = element("p.muted.hint", { "aria-live": "polite" });
    input.addEventListener("input", () => (said.textContent = hint(input.value.trim())));
    const form = element(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          if (input.value.trim()) close(input.value.trim());
        },
      },
      element("label.field", {}, "Name", input),
      said,
      element("div.actions", {}, element("button.primary", { type: "submit" }, "Name")),
    );
    return [form];
  });
}

let lists = 0;

/** A field for a name with completion of known ones, and its list. */
export function nameInput(current, known) {
  const list = element(
    "datalist",
    { id: `names-${++lists}` },
    ...known.map((name) => element("option", { value: name })),
  );
  const input = element("input", {
    type: "text",
    maxlength: 200,
    autocomplete: "off",
    spellcheck: "false",
    list: list.id,
    autofocus: true,
  });
  input.value = current;
  // The list has to be in the page; it goes away with its field.
  queueMicrotask(() => input.after(list));
  return input;
}
