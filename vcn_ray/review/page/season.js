// The season as the page knows it, and all that is said of it. There is one; views listen to it:
//
//   season.addEventListener("change", ...)   people or tracks are other ones; event.detail = {moved: {old id: new id}}
//   season.addEventListener("state", ...)    only whether tables are written, or whether the server answers
//
// What people say goes through `season.say`, one after the other, each with the revision that the one before gave.

import { ApiError, get, post } from "./api.js";
import { toast, toastError } from "./messages.js";

const POLL_S = 5;
const POLL_WHILE_WRITING_S = 1;

class Season extends EventTarget {
  /** What `/api/season` says; null until it was asked. */
  now = null;
  /** Why the server cannot be asked; null where it can. */
  lost = null;

  #byId = new Map();
  #queue = Promise.resolve();
  #timer = 0;

  /** Ask the server for all of it, then go on looking now and then. */
  async load() {
    this.#take(await get("/api/season"), {});
    this.#poll();
  }

  /** The person of an id, or undefined. */
  person(id) {
    return this.#byId.get(id);
  }

  /** How a person is called on the page. */
  label(id) {
    return this.person(id)?.label ?? "Unknown";
  }

  /** Names that somebody has, in the order of the alphabet. */
  get names() {
    const names = this.now.people.filter((person) => person.name !== null).map((person) => person.name);
    return [...new Set(names)].sort((a, b) => a.localeCompare(b));
  }

  /** Say a correction: its kind, and its sides. True once it holds; a refusal is shown, and gives false. */
  say(kind, sides) {
    return this.#change("/api/corrections", { kind, ...sides });
  }

  /** Answer a question of the review queue. */
  answer(key, answer) {
    return this.#change("/api/answers", { key, answer }, { quiet: true });
  }

  /** Take the last correction back. */
  undo() {
    return this.#change("/api/undo", {});
  }

  /** Say again what was taken back. */
  redo() {
    return this.#change("/api/redo", {});
  }

  /** Once all that was said so far is answered. */
  settled() {
    return this.#queue;
  }

  /** Write the tables now. */
  async save() {
    try {
      await post("/api/save", {});
      await this.#look();
    } catch (error) {
      toastError(error.message);
    }
  }

  #change(path, content, { quiet = false } = {}) {
    const job = this.#queue.then(async () => {
      try {
        const changed = await post(path, { revision: this.now.revision, ...content });
        this.#take(changed.season, changed.moved ?? {});
        if (changed.said) {
          const undoable = path !== "/api/undo" && changed.season.undo !== null;
          toast(changed.said, { undo: undoable && !quiet ? () => this.undo() : null, brief: quiet });
        }
        return true;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.season) this.#take(error.season, {});
        toastError(error.message);
        return false;
      } finally {
        this.#poll();
      }
    });
    this.#queue = job.catch(() => {});
    return job;
  }

  #take(now, moved) {
    this.now = now;
    this.lost = null;
    this.#byId = new Map(now.people.map((person) => [person.id, person]));
    this.dispatchEvent(new CustomEvent("change", { detail: { moved } }));
    this.dispatchEvent(new Event("state"));
  }

  #poll() {
    clearTimeout(this.#timer);
    const seconds = this.now?.saved === "saved" && !this.lost ? POLL_S : POLL_WHILE_WRITING_S;
    this.#timer = setTimeout(async () => {
      // Nobody looks at a tab in the background; it asks again as soon as it is in front.
      if (!document.hidden) await this.#queue.then(() => this.#look());
      this.#poll();
    }, 1000 * seconds);
  }

  async #look() {
    try {
      const state = await get("/api/state");
      if (state.revision !== this.now.revision) {
        const asked = this.now.revision;
        const now = await get("/api/season");
        // A correction of our own may have come in between: its answer is newer than ours.
        if (this.now.revision === asked) this.#take(now, {});
        return;
      }
      this.now = { ...this.now, saved: state.saved, save_problem: state.save_problem };
      this.lost = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.lost = error.message;
    }
    this.dispatchEvent(new Event("state"));
  }
}

export const season = new Season();
