// Pictures of tracks. Those in long lists come as they are looked at: a row that is scrolled past asks for none.

import { element } from "./dom.js";
import { season } from "./season.js";

/** Address of something of the server; it may be kept by the browser as long as the server runs. */
function address(path, parameters = {}) {
  const session = season.now?.session;
  const query = new URLSearchParams(session ? { ...parameters, s: session } : parameters).toString();
  return query ? `${path}?${query}` : path;
}

/** Address of a track's frame, `width` pixels wide. */
export function frameAddress(row, frame, width) {
  return address(`/frames/${row}.jpg`, { frame, width });
}

/** The face of a track, its best crop or the nth; `later` where a list shows it once it stands still. */
export function face(row, { size = 44, nth = 0, alt = "", later = false } = {}) {
  if (row === null || row === undefined) return element("span.face.none", { "aria-hidden": "true" });
  const source = address(`/pictures/${row}.jpg`, nth ? { n: nth } : {});
  return image(source, { class: "face", width: size, height: size, alt }, later);
}

/** Up to eight crops of a track, side by side. */
export function strip(row, crops, { later = true } = {}) {
  if (!crops) return element("span.strip.none", {}, "no picture");
  const alt = `${Math.min(crops, 8)} pictures`;
  return image(address(`/strips/${row}.jpg`), { class: "strip", alt }, later);
}

function image(source, attributes, later) {
  const img = element("img", { draggable: "false", decoding: "async", ...attributes });
  if (later) img.dataset.source = source;
  else img.src = source;
  img.addEventListener("error", () => img.classList.add("none"));
  return img;
}

/** Ask for the pictures that a part of the page waits for. */
export function showPictures(root) {
  for (const img of root.querySelectorAll("img[data-source]")) {
    img.src = img.dataset.source;
    delete img.dataset.source;
  }
}

/** Ask no longer for pictures of a part that goes away. */
export function dropPictures(root) {
  for (const img of root.querySelectorAll("img")) if (!img.complete) img.removeAttribute("src");
}
