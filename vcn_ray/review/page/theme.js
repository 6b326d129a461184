// Light or dark, before anything is painted: what the button of the bar was last set to, else what the system says.
// A plain script and no module, since modules run only after the first paint.
"use strict";

(() => {
  const KEY = "vcn-review-colours";
  const apply = (choice) => {
    if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
    else delete document.documentElement.dataset.theme;
  };
  const chosen = () => {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system"; // storage may be forbidden; then a choice lasts until the page is closed
    }
  };
  apply(chosen());

  // The button goes round: as the system, light, dark.
  let now = chosen();
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => {
      button.title = `Colours: ${now === "system" ? "as the system" : now}`;
      button.setAttribute("aria-label", button.title);
    };
    say();
    button.addEventListener("click", () => {
      now = { system: "light", light: "dark", dark: "system" }[now] ?? "light";
      apply(now);
      say();
      try {
        localStorage.setItem(KEY, now);
      } catch {
        // as above
      }
    });
  });
})();
