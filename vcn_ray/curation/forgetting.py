"""Somebody removed from a season: from its results, from all that they were made from, and from runs to come."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.corrections.correction import Correction, Kind, make_correction
from vcn_ray.corrections.correction_file import edit_corrections
from vcn_ray.corrections.forgotten import forgotten_rows, without_person
from vcn_ray.curation.applying import RECORD_KEY, apply_now, check_whole, corrections_wait
from vcn_ray.curation.forget_anchors import forget_anchors
from vcn_ray.curation.removal import begin_removal, finish_removal, keep_results_valid, under_removal
from vcn_ray.curation.trace_search import ALIKE, KINDS, NAMES, Searched, search_season
from vcn_ray.curation.traces import name_pattern, traces_of
from vcn_ray.curation.whom import NamedSeason, Person, names_in, own_calibration
from vcn_ray.errors import InputError, OptionError
from vcn_ray.export.finished_season import UNKNOWN
from vcn_ray.pipeline.outputs.found import FinishedTitle
from vcn_ray.pipeline.outputs.season_outputs import finished_titles
from vcn_ray.storage.folder import delete_leftovers
from vcn_ray.storage.lock import Lock, only_run_in, user_name
from vcn_ray.storage.store import Store

#: Is there from when somebody is said to be forgotten until all has been searched, in the season's folder.
_NOT_SEARCHED_KEY = "work/forgetting.json"

_STOPPED = (
    "a removal that was begun before is finished; if it was not of whom you name now, look up their number, which may "
    "be another one after it, and give the command again"
)

_MOST_NAMED = 8  # files or tracks in a sentence

SEARCH = pa.schema(
    [
        ("what", pa.string()),
        ("searched", pa.int64()),  # rows, pictures or files that were looked at
        ("removed", pa.int64()),
        ("left", pa.int64()),
        ("why", pa.string()),  # where it is, and what to do about it; null where nothing is left
    ]
)


@dataclass(frozen=True)
class Forgotten:
    """What forgetting somebody came to."""

    who: str
    tracks: int
    table: pa.Table  # SEARCH
    notes: list[str] = field(default_factory=list)  # what was not searched, and what nobody here can remove

    @property
    def left(self) -> int:
        """How much is left, of all that was searched for."""
        return int(pc.sum(self.table["left"]).as_py() or 0)


def forget_person(
    out: Store,
    character: str | None = None,
    *,
    gallery: Store | None = None,
    confirm: Callable[[str], bool] = lambda question: True,
    say: Callable[[str], None] = lambda sentence: None,
) -> Forgotten | None:
    """Remove a person from a season, then search all of it for them.

    What says where they were is written first, so that a later run does not bring them back. Killed half-way, it is
    finished by the same command, or by whatever writes to the season next.

    Args:
        out: the season's folder.
        character: a name, 'Cast 3' or a number of the cast; None: whoever the file of corrections says is to be
            forgotten, and is still there.
        gallery: folder of reference pictures; those of this name are deleted.
        confirm: asked before anything is changed.
        say: told why it waits.

    Returns:
        What was searched, removed and left; None where `confirm` said no.

    Raises:
        OptionError: nobody is called so.
        InputError: there is no finished season, or no such gallery.
        OutputError: a run is writing there, or it cannot be written.
    """
    if not out.exists(RECORD_KEY):
        raise InputError(
            f"{out.url}: no finished run is there ({RECORD_KEY} is missing); give the folder named by --out"
        )
    if gallery is not None and gallery.exists(RECORD_KEY):
        raise InputError(f"--gallery {gallery.url}: this is a season; forget them there as well")
    if gallery is not None and not gallery.keys():
        raise InputError(f"--gallery {gallery.url}: there is nothing; give the folder of reference pictures")
    with only_run_in(out, say) as lock:
        check_whole(out, out.read_json(RECORD_KEY))
        begun = under_removal(out)
        if begun:
            return _finish(out, lock, begun, character)
        was_stopped = out.exists(_NOT_SEARCHED_KEY)
        if corrections_wait(out):
            apply_now(out, lock)
        season = NamedSeason.read(out)
        pending = forgotten_rows(season.places, season.corrections)
        person = season.find(character, or_nobody=was_stopped or bool(pending))
        if gallery is not None and person.name is None:
            raise OptionError("--gallery: pictures go by names, and this person has none; delete theirs yourself")
        rows = sorted(pending | set(person.rows))
        traces = season.traces(rows, person.names)
        if rows and not confirm(_question(person, season, rows)):
            return None
        before = search_season(out, traces)
        in_gallery = None if gallery is None else _delete_pictures(gallery, str(person.name))
        _clear_logs(out, person.names)  # and what else goes by names, which nobody knows after the next line
        _correct(out, season, person, rows, set(person.rows) - pending)
        out.write_json(_NOT_SEARCHED_KEY, {})
        if rows:
            begin_removal(out, season.by_title(rows))
        lock.check()
        finish_removal(out, lock)
        if out.is_local:
            delete_leftovers(out.url)
        after = search_season(out, traces)
        out.delete(_NOT_SEARCHED_KEY)
    table = [_row(kind, before, after, season) for kind in KINDS]
    if in_gallery is not None:
        table.append(in_gallery)
    notes = _notes(out, season, after)
    if was_stopped or (pending and not person.rows):
        notes.insert(0, _STOPPED)
    return Forgotten(person.label, len(rows), pa.Table.from_pylist(table, SEARCH), notes)


def _finish(out: Store, lock: Lock, begun: Mapping[str, Sequence[int]], character: str | None) -> Forgotten:
    """Finish a removal that was stopped half-way, and nothing else: numbers of the cast mean others after it."""
    traces = traces_of(finished_titles(out), begun, names_in(character), own_calibration(out))
    before = search_season(out, traces)
    finish_removal(out, lock)
    _clear_logs(out, traces.names)
    if out.is_local:
        delete_leftovers(out.url)
    after = search_season(out, traces)
    out.delete(_NOT_SEARCHED_KEY)
    season = NamedSeason.read(out)
    table = pa.Table.from_pylist([_row(kind, before, after, season) for kind in KINDS], SEARCH)
    return Forgotten("stopped before", sum(map(len, begun.values())), table, [_STOPPED, *_notes(out, season, after)])


def _question(person: Person, season: NamedSeason, rows: Sequence[int]) -> str:
    titles = [title.id for title in season.titles if title.results.name in season.by_title(rows)]
    named = ", ".join(titles[:_MOST_NAMED]) + (" and others" if len(titles) > _MOST_NAMED else "")
    return (
        f"Forget {person.label}: {len(rows)} tracks in {len(titles)} titles ({named}), with all faces, pictures and "
        "embeddings, and the networks adapted with them. This cannot be undone. Go on?"
    )


def _correct(out: Store, season: NamedSeason, person: Person, rows: Sequence[int], unsaid: set[int]) -> None:
    """Say who is forgotten, take what was said of them away; written at once, before anything is removed."""
    said = []
    if unsaid:
        anchors = forget_anchors(season.titles, season.found, season.places, sorted(unsaid))
        said = [make_correction(Kind.FORGET, anchors, by=user_name())]

    def change(corrections: list[Correction]) -> list[Correction]:
        left = without_person(corrections, season.places, rows, person.name)
        for title in season.titles:
            keep_results_valid(title, corrections, left)
        return [*left, *said]

    if said or without_person(season.corrections, season.places, rows, person.name) != season.corrections:
        edit_corrections(out, change)


def _clear_logs(out: Store, names: Iterable[str]) -> None:
    """Take lines that give a name out of what runs have written for people to read."""
    pattern = name_pattern(names)
    if pattern is None:
        return
    for key in out.keys(""):
        if key.startswith("logs/") or key.endswith(".log"):
            lines = out.read_bytes(key).decode("utf-8", "replace").splitlines(keepends=True)
            left = [line for line in lines if not pattern.search(line)]
            if len(left) < len(lines):
                out.write_bytes(key, "".join(left).encode())


def _delete_pictures(gallery: Store, name: str) -> Mapping[str, object]:
    """Delete what a gallery has of somebody: files ``NAME.*``, and a folder ``NAME``; the row that tells of it."""
    keys, deleted = gallery.keys(""), 0
    for key in keys:
        first, inside, _ = key.partition("/")
        if _same(first if inside else first.rpartition(".")[0], name):
            gallery.delete(key)
            deleted += 1
    return {"what": f"pictures in {gallery.url}", "searched": len(keys), "removed": deleted, "left": 0, "why": None}


def _same(one: str, other: str) -> bool:
    plain = [" ".join(unicodedata.normalize("NFC", text).split()) for text in (one, other)]
    return plain[0] == plain[1]


def _row(kind: str, before: Searched, after: Searched, season: NamedSeason) -> Mapping[str, object]:
    left = after.count(kind)
    # What only looks like them is not removed, and was not told from theirs before.
    removed = 0 if kind == ALIKE else max(before.count(kind) - left, 0)
    why = _why(kind, after, season) if left else None
    return {"what": kind, "searched": after.looked_at[kind], "removed": removed, "left": left, "why": why}


def _why(kind: str, after: Searched, season: NamedSeason) -> str:
    if kind == ALIKE:
        who = {title.results.name: title for title in season.titles}
        shown = [_track(who.get(slug), slug, track) for slug, track in sorted(after.alike)[:_MOST_NAMED]]
        more = f" and {len(after.alike) - len(shown)} more" if len(after.alike) > len(shown) else ""
        return (
            f"they may be theirs: {', '.join(shown)}{more}; look at them with `vcn-ray review`, give those that are a "
            "name, and forget that"
        )
    files = [f"{key} ({count})" for key, count in sorted(after.found[kind].items())]
    shown_files = ", ".join(files[:_MOST_NAMED]) + (
        f" and {len(files) - _MOST_NAMED} more" if len(files) > _MOST_NAMED else ""
    )
    if kind == NAMES:
        return (
            f"in {shown_files}: the name of a title or video, a word of a page, or a file of yours; see to it yourself"
        )
    return f"in {shown_files}: a copy that no command keeps up, or another's of the same look; see to it yourself"


def _track(title: FinishedTitle | None, slug: str, track: int) -> str:
    if title is None or not title.results.exists("tracks.parquet"):
        return f"{slug}, track {track}"
    rows = title.results.read_table("tracks.parquet", ["track_id", "cluster_id", "character", "first_time_s"])
    row = next(iter(rows.filter(pc.equal(rows["track_id"], track)).to_pylist()), None)
    if row is None:
        return f"{slug}, track {track}"
    who = row["character"] or (UNKNOWN if row["cluster_id"] is None else f"character {row['cluster_id']}")
    return f"{title.id}, track {track} at {row['first_time_s']:.1f} s ({who})"


def _notes(out: Store, season: NamedSeason, after: Searched) -> list[str]:
    notes = [f"not searched, as it is neither a table nor a text: {out.where(key)}" for key in after.closed]
    faceless = pc.sum(pc.equal(season.tables.tracks.to_arrow()["crops"], 0)).as_py()
    if faceless:
        notes.append(f"tracks that have no picture to compare by, so that nobody knows whose they are: {faceless}")
    notes.append("not searched: exports elsewhere, copies of this folder, backups; delete them, or export again")
    if not out.is_local:
        notes.append(
            f"{out.url}: a bucket with versioning keeps what was deleted and overwritten as older versions; expire them"
        )
    return notes
