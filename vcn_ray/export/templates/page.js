(() => {
  "use strict";
  // Zoom of a time line: without script it stays at 1x and the buttons stay hidden.
  for (const zoom of document.querySelectorAll(".zoom")) {
    zoom.hidden = false;
    const scroll = zoom.nextElementSibling;
    const lanes = scroll.firstElementChild;
    const ticks = lanes.querySelectorAll(".ticks");
    zoom.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const middle = (scroll.scrollLeft + scroll.clientWidth / 2) / scroll.scrollWidth;
      lanes.style.setProperty("--zoom", button.dataset.zoom);
      scroll.scrollLeft = middle * scroll.scrollWidth - scroll.clientWidth / 2;
      for (const other of zoom.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      for (const set of ticks) set.hidden = set.dataset.zoom !== button.dataset.zoom;
    });
  }

  // A track's times and face beside the pointer, in place of the browser's plain tooltip; on touch by tapping.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  let shown = null;

  const hide = () => {
    if (!shown) return;
    shown.title = shown.dataset.text;
    shown.classList.remove("on");
    shown = null;
    tip.remove();
  };
  const show = (bar) => {
    if (bar === shown) return;
    hide();
    shown = bar;
    bar.dataset.text = bar.title;
    bar.title = "";
    bar.classList.add("on");
    const face = document.querySelector(`img[data-track="${bar.dataset.track}"]`);
    const picture = face ? [Object.assign(new Image(), { src: face.src, alt: "" })] : [];
    tip.replaceChildren(...picture, document.createTextNode(bar.dataset.text));
    document.body.append(tip);
    const at = bar.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(at.left, room)) + scrollX}px`;
    const above = at.top - tip.offsetHeight - 6;
    tip.style.top = `${(above > 4 ? above : at.bottom + 6) + scrollY}px`;
  };
  const bar = (event) => event.target.closest?.(".track i[data-track]");
  document.addEventListener("pointerover", (event) => (bar(event) ? show(bar(event)) : hide()));
  document.addEventListener("scroll", hide, true);

  // Paper has no way to open a closed time line.
  addEventListener("beforeprint", () => {
    for (const line of document.querySelectorAll("details.timeline")) line.open = true;
  });
})();
