"""Every file of a season's results, searched for what a person leaves in them.

It knows nothing of how they are removed: it opens whatever lies there, by its kind. What it cannot look into it names.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from vcn_ray.curation.traces import Traces, digest_of, name_pattern, pictures_in
from vcn_ray.pipeline.forgotten_tracks import PLACES, REMOVAL_KEY, Whose
from vcn_ray.storage.store import Store

TRACKS, FACES, PICTURES = "rows of their tracks", "boxes of their faces", "pictures of them"
NETWORKS, NAMES = "networks and cached embeddings made with them", "their name"
ALIKE = "tracks of others that look like them"
KINDS = (TRACKS, FACES, PICTURES, NETWORKS, NAMES, ALIKE)

#: Columns that hold a track's number.
_TRACK_COLUMNS = ("track_id", "best_track_id", "track_a", "track_b", "new_track_id")

#: Below these, tracks have the numbers of a shard, or those before tracks were split.
_OWN_NUMBERS = ("work/shards/", "work/tracks/")


@dataclass
class Searched:
    """What a search came to, by kind."""

    looked_at: Counter[str] = field(default_factory=Counter)  # rows, pictures, files
    found: dict[str, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})  # by file
    alike: set[tuple[str, int]] = field(default_factory=set)  # title's folder, track
    closed: list[str] = field(default_factory=list)  # files that were not searched

    def count(self, kind: str) -> int:
        """How much of it was found."""
        return len(self.alike) if kind == ALIKE else sum(self.found[kind].values())


def search_season(out: Store, traces: Traces) -> Searched:
    """Search everything below a season's folder."""
    search = _Search(out, traces)
    for key in out.keys(""):
        search.look_into(key)
    return search.searched


class _Search:
    def __init__(self, out: Store, traces: Traces):
        self._out, self._traces = out, traces
        self._names = name_pattern(traces.names)
        self._whose = {slug: Whose(places) for slug, places in traces.places.items()}
        self.searched = Searched()

    def look_into(self, key: str) -> None:
        content = self._out.read_bytes(key)
        slug, inside = "", key
        if key.startswith("titles/") and key.count("/") > 1:
            slug, inside = key.split("/", 2)[1:]
        try:
            if key.endswith(".parquet"):
                self._table(key, slug, inside, content)
            elif key.endswith(".safetensors"):
                self._tensors(key, slug, inside)
            else:
                self._text(key, slug, inside, content)
        except (pa.ArrowException, UnicodeDecodeError, ValueError):
            self.searched.closed.append(key)

    def _add(self, kind: str, key: str, looked_at: int, found: int) -> None:
        self.searched.looked_at[kind] += looked_at
        if found:
            self.searched.found[kind][key] += found

    def _table(self, key: str, slug: str, inside: str, content: bytes) -> None:
        if inside == f"work/{REMOVAL_KEY}":
            return  # what is to be removed, until it is
        for batch in pq.ParquetFile(io.BytesIO(content)).iter_batches(batch_size=4096):
            rows = pa.Table.from_batches([batch])
            self._rows(key, slug, inside, rows)
            if set(PLACES.names[:6]) <= set(rows.column_names) and slug in self._traces.places:
                self._add(FACES, key, len(rows), int(self._whose[slug].are_theirs(rows).sum()))
            if "jpeg" in rows.column_names:
                shown = sum(digest_of(jpeg) in self._traces.pictures for jpeg in rows["jpeg"].to_pylist())
                self._add(PICTURES, key, len(rows), shown)
            if {"track_id", "face_id", "embedding"} <= set(rows.column_names):
                self._embeddings(key, slug, rows)
            for name in rows.column_names:
                if pa.types.is_string(rows.schema.field(name).type):
                    values = rows[name].value_counts().to_pylist()
                    named = sum(one["counts"] for one in values if one["values"] and self._has_name(one["values"]))
                    self._add(NAMES, key, 0, named)
        self._add(NAMES, key, 1, 0)

    def _rows(self, key: str, slug: str, inside: str, rows: pa.Table) -> None:
        """Rows of a table that are of their tracks."""
        columns = [name for name in _TRACK_COLUMNS if name in rows.column_names]
        if not columns or inside.startswith(_OWN_NUMBERS):
            return
        theirs = np.zeros(len(rows), bool)
        for title, numbers in self._traces.of_titles.items():
            titles = next((name for name in ("title", "best_title") if name in rows.column_names), None)
            if titles is None and self._traces.titles.get(slug) != title:
                continue
            of_title = np.ones(len(rows), bool)
            if titles is not None:
                of_title = pc.fill_null(pc.equal(rows[titles], title), False).to_numpy()
            wanted = pa.array(sorted(numbers), pa.int64())
            for column in columns:
                theirs |= of_title & pc.is_in(rows[column].cast(pa.int64()), wanted).to_numpy()
        self._add(TRACKS, key, len(rows), int(theirs.sum()))

    def _embeddings(self, key: str, slug: str, rows: pa.Table) -> None:
        own = self._traces.tracks.get(slug, frozenset())
        networks = np.array(rows["face_id"].to_pylist())
        tracks = rows["track_id"].to_numpy()
        for network, likeness in self._traces.likeness.items():
            of_network = np.flatnonzero((networks == network) & ~np.isin(tracks, list(own)))
            vectors = np.array(rows["embedding"].take(pa.array(of_network)).to_pylist(), np.float32)
            alike = likeness.are_alike(vectors)
            self.searched.alike |= {(slug, int(track)) for track in tracks[of_network[alike]]}
            self._add(ALIKE, key, len(of_network), int(alike.sum()))

    def _tensors(self, key: str, slug: str, inside: str) -> None:
        """Numbers that nobody can read a person out of again one by one: theirs where their title was among them."""
        theirs = slug in self._traces.tracks and inside.startswith(("work/adapt/", "work/views/"))
        self._add(NETWORKS, key, 1, int(theirs))

    def _text(self, key: str, slug: str, inside: str, content: bytes) -> None:
        text = content.decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("not a text")
        shown = pictures_in(content)
        self._add(PICTURES, key, len(shown), sum(map(self._traces.shows_them, shown)))
        self._add(NAMES, key, 1, 0 if self._names is None else len(self._names.findall(_without_pictures(text))))
        if key.endswith(".csv") and "track_id" in text.partition("\n")[0]:
            rows = pa_csv.read_csv(io.BytesIO(content), parse_options=pa_csv.ParseOptions(newlines_in_values=True))
            self._rows(key, slug, inside, rows)
        elif key.endswith(".json") and slug in self._traces.tracks:
            stored = json.loads(text)
            tracks = stored.get("track_id", ()) if isinstance(stored, dict) else ()
            if isinstance(tracks, list):
                found = sum(track in self._traces.tracks[slug] for track in tracks)
                self._add(TRACKS, key, len(tracks), found)

    def _has_name(self, text: str) -> bool:
        return self._names is not None and self._names.search(text) is not None


def _without_pictures(text: str) -> str:
    """A text without what a picture's letters may spell by chance."""
    pieces: Iterable[str] = text.split(";base64,")
    first, *others = pieces
    return first + "".join(" " + piece.lstrip(_BASE64) for piece in others)


_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
