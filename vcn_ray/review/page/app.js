// Where the page starts: the bar above, which view the address means, keys that work everywhere.
//
//   #/cast   #/people/p12   #/unknown   #/review      and over each of them  ?track=345  (a track in its film)

import { CastView } from "./cast_view.js";
import { isPlain, isTyping } from "./dom.js";
import { FilmDialog } from "./film_dialog.js";
import { PersonView } from "./person_view.js";
import { ReviewView } from "./review_view.js";
import { season } from "./season.js";
import { UnknownView } from "./unknown_view.js";
import { count } from "./words.js";

const VIEWS = { cast: CastView, people: PersonView, unknown: UnknownView, review: ReviewView };
const NAMES = { cast: "Cast", people: "Person", unknown: "Unknown", review: "Review next" };

const main = document.getElementById("view");
const byId = (id) => document.getElementById(id);

let view = null; // what is shown
let path = null; // its address, without the track over it
let film = null; // the dialog over it
let filmIsStep = false; // whether the dialog was opened from a view, so that the back button leads there
const scrolledTo = new Map(); // path -> how far down, for the back button

/** What an address says: {path, name, id, track}. */
function route() {
  const [whole, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id] = whole.split("/");
  const track = new URLSearchParams(query).get("track");
  const known = Object.hasOwn(VIEWS, name) ? name : "cast";
  return {
    path: known === "people" ? `people/${id}` : known,
    name: known,
    id: id && decodeURIComponent(id),
    track: /^\d+$/.test(track ?? "") ? Number(track) : null,
  };
}

function show() {
  const to = route();
  const isStep = to.path === path;
  if (to.path !== path) {
    if (view) scrolledTo.set(path, main.scrollTop);
    view?.close();
    path = to.path;
    document.title = `${NAMES[to.name]} – ${season.now.name}`;
    main.className = to.name;
    main.scrollTop = 0;
    view = new VIEWS[to.name](main, to);
    comeBack(scrolledTo.get(path) ?? 0);
    main.focus({ preventScroll: true });
    for (const link of document.querySelectorAll("nav a")) {
      const here = link.dataset.view === to.name || (link.dataset.view === "cast" && to.name === "people");
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
  showFilm(to.track, isStep);
}

// A view's rows may have to be fetched before there is anything to scroll.
function comeBack(top, tries = 20) {
  if (!top) return;
  const own = view;
  const again = () => {
    if (view !== own) return;
    main.scrollTop = top;
    if (main.scrollTop < top && tries > 0) setTimeout(() => ((tries -= 1), again()), 50);
  };
  again();
}

function showFilm(row, isStep) {
  if (row === null) {
    const open = film;
    film = null;
    open?.close();
    return;
  }
  if (!film) filmIsStep = isStep;
  film ??= new FilmDialog({
    // Shut by Esc or ✕: the address goes back to the view; by the back button it has already.
    onClose: () => {
      film = null;
      if (route().track === null) return;
      if (filmIsStep) history.back();
      else location.replace(`#/${route().path}`);
    },
    neighbour: (from, step) => view.neighbour?.(from, step) ?? null,
    go: (to) => location.replace(`#/${path}?track=${to}`),
  });
  void film.show(row);
}

function showBar() {
  const { now } = season;
  byId("season-name").textContent = byId("season-name").title = now.name;
  byId("count-people").textContent = count(now.people.length);
  byId("count-unknown").textContent = count(now.unknown);
  for (const which of ["undo", "redo"]) {
    const word = which === "undo" ? "Undo" : "Redo";
    byId(which).disabled = now[which] === null;
    byId(which).title = now[which] === null ? `Nothing to ${which}` : `${word} ${now[which]}`;
    byId(which).setAttribute("aria-label", byId(which).title);
  }
  const problems = byId("problems");
  problems.hidden = !now.problems.length;
  problems.textContent = now.problems.length === 1 ? "1 problem" : `${now.problems.length} problems`;
  byId("problems-list").replaceChildren(
    ...now.problems.map((sentence) => Object.assign(document.createElement("li"), { textContent: sentence })),
  );
}

function showState() {
  const { saved, save_problem: problem } = season.now;
  const place = byId("saved");
  const words = { saved: "Tables up to date", writing: "Writing tables …", waiting: "Tables follow …" };
  place.textContent = season.lost ? "No connection" : problem ? "Not written" : words[saved];
  place.dataset.state = season.lost || problem ? "problem" : saved;
  const banner = byId("banner");
  const sentence = season.lost ?? (problem ? `The tables could not be written: ${problem}` : "");
  if (banner.textContent !== sentence) banner.textContent = sentence;
  banner.hidden = !sentence;
}

season.addEventListener("state", showState);
season.addEventListener("change", ({ detail: { moved } }) => {
  showBar();
  if (!view) return;
  const to = route();
  // Whom this page shows may be called another id now; the address follows without a step of the back button.
  if (to.name === "people" && moved[to.id]) {
    path = `people/${moved[to.id]}`;
    history.replaceState(null, "", `#/${path}${to.track === null ? "" : `?track=${to.track}`}`);
  }
  void view.update(moved);
  film?.update();
});

let went = -Infinity; // when "g" was pressed: "g c" goes to the cast

document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (key === "z" || key === "y")) {
    if (isTyping(event) && event.target.tagName !== "SELECT") return; // there it takes back what was typed

    event.preventDefault();
    const again = key === "y" || event.shiftKey;
    if (season.now[again ? "redo" : "undo"] !== null) void (again ? season.redo() : season.undo());
    return;
  }
  if (event.defaultPrevented || !view || document.querySelector("dialog[open]")) return;
  if (isTyping(event)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (!isPlain(event)) return;
  const goes = { c: "cast", u: "unknown", r: "review" }[key];
  if (event.key === "?") byId("help-dialog").showModal();
  else if (performance.now() - went < 1200 && goes) location.hash = `#/${goes}`;
  else if (key === "g") went = performance.now();
  else if (!view.key?.(event)) return;
  if (key !== "g") went = -Infinity;
  event.preventDefault();
});

byId("undo").addEventListener("click", () => season.undo());
byId("redo").addEventListener("click", () => season.redo());
byId("help").addEventListener("click", () => byId("help-dialog").showModal());
byId("problems").addEventListener("click", () => byId("problems-dialog").showModal());
byId("saved").addEventListener("click", () => season.now.save_problem && season.save());
addEventListener("hashchange", () => season.now && show());

try {
  await season.load();
  show();
} catch (error) {
  byId("banner").textContent = error.message;
  byId("banner").hidden = false;
}
