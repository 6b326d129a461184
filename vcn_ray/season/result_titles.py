"""Titles of a finished run as objects: what was found in each, or why nothing was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

from vcn_ray.export.charts import span_text
from vcn_ray.export.notebook import MOST_ROWS, Timeline, TimelineLane, card
from vcn_ray.export.render import several
from vcn_ray.schemas import FACES, ITERATIONS
from vcn_ray.season.result_cast import Character, SeasonTables, person_rows
from vcn_ray.season.result_tables import Row, Rows
from vcn_ray.season.result_tracks import Face, Track


@dataclass(frozen=True)
class Iteration:
    """A round of a title's adaptation (`schemas.ITERATIONS`, with the title in front); 0 is the base model."""

    title: str
    iteration: int
    clusters: int
    unknown: int
    changed_tracks: int | None
    mean_loss: float | None
    teacher_entropy: float | None  # nats
    mean_output_entropy: float | None  # nats; near 0 means collapse
    kl_teacher_student: float | None
    mean_quality: float | None
    mean_confidence: float | None
    delivered: bool | None  # whether this clustering is the title's result
    matched_pairs: int | None
    warning: str | None


class TitleResult:
    """A title of a finished run. One that failed has an `error`, and neither characters nor tracks."""

    def __init__(self, tables: SeasonTables, record: Row):
        """Take an entry of ``season.json``."""
        self.tables = tables
        self.id: str = record["id"]
        self.slug: str = record["slug"]  # its folder below titles/
        self.videos: list[str] = list(record.get("videos", []))  # paths or URLs
        self.error: str | None = record["error"]  # a sentence; None: it is done
        self.stage: str = record.get("stage", "")  # that failed
        self.log: str | None = record.get("log")  # file with details, where the error is no fault of the user
        self.seconds: dict[str, float] = dict(record.get("seconds", {}))  # wall time of each stage

    @property
    def report(self) -> str | None:
        """Path or URL of its page; None where it failed."""
        return None if self.error is not None else self.tables.store.where(self.slug, "report.html")

    @cached_property
    def tracks(self) -> Rows[Track]:
        """Its tracks, in time."""
        return self.tables.tracks.where(title=self.id)

    @property
    def unknown(self) -> Rows[Track]:
        """Its tracks that no character was found for; each says why."""
        return self.tracks.where(cluster_id=None)

    @cached_property
    def characters(self) -> Rows[Character]:
        """Its characters, by screen time."""
        return self.tables.characters.where(title=self.id)

    @cached_property
    def faces(self) -> Rows[Face]:
        """Its faces, a row a frame and track."""
        if self.error is not None:
            return self.tables.faces.where(title=self.id)
        return Rows(self.tables.store.title_table(self.slug, "faces", FACES), lambda row: Face(**row), "face")

    @property
    def iterations(self) -> Rows[Iteration]:
        """The rounds of its adaptation; none where it failed."""
        return iterations_of(self.tables, {self.id: self.slug} if self.error is None else {})

    def character(self, cluster_id: int) -> Character:
        """The character of this number; `KeyError` where there is none."""
        return _only(self.characters.where(cluster_id=cluster_id), f"character {cluster_id}", self)

    def track(self, track_id: int) -> Track:
        """The track of this number; `KeyError` where there is none."""
        return _only(self.tracks.where(track_id=track_id), f"track {track_id}", self)

    @cached_property
    def durations_s(self) -> dict[str, float]:
        """Length of each video in seconds, by its name in the tables, in the order of the title."""
        return self.tables.store.durations_s(self.id, self.tracks.to_arrow())

    def timeline(self) -> Timeline:
        """When each character is on screen, a lane each, and the Unknown below; those of each video by themselves."""
        tracks = self.tracks.to_arrow().to_pylist()
        labels: dict[int | None, str] = {one.cluster_id: one.label for one in self.characters}
        lanes = []
        for video, duration_s in self.durations_s.items():
            for cluster, label in [*labels.items(), (None, "Unknown")]:
                own = [row for row in tracks if (row["video"], row["cluster_id"]) == (video, cluster)]
                if own:
                    name = label if len(self.durations_s) == 1 else f"{label}, {video}"
                    lanes.append(TimelineLane(name, duration_s, own, is_unknown=cluster is None))
        return Timeline(lanes)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        if self.error is not None:
            return f"TitleResult({self.id!r}, failed: {self.error})"
        counts = f"{several(len(self.characters), 'character')}, {several(len(self.tracks), 'track')}"
        return f"TitleResult({self.id!r}, {counts})"

    def _repr_html_(self) -> str:
        if self.error is not None:
            where = [f"Details: {self.log}"] if self.log else []
            return card(self.id, [*self.videos, *where], problem=f"Failed ({self.stage}): {self.error}")
        return card(
            self.id,
            [
                ", ".join(f"{video} ({span_text(seconds)})" for video, seconds in self.durations_s.items()),
                f"{several(len(self.characters), 'character')}, {several(len(self.tracks), 'track')}, "
                f"{len(self.unknown)} Unknown; page: {self.report}",
            ],
            columns=["", "character", "on screen", "tracks"],
            rows=person_rows(self.characters[:MOST_ROWS]),
            left_out=max(0, len(self.characters) - MOST_ROWS),
        )


class Titles(Sequence[TitleResult]):
    """The titles of a run in the order given: one by position or by id, several by a slice."""

    def __init__(self, titles: Sequence[TitleResult]):
        self._titles = list(titles)
        self._of_id = {title.id: title for title in titles}

    def __len__(self) -> int:
        return len(self._titles)

    @overload
    def __getitem__(self, key: int | str) -> TitleResult: ...
    @overload
    def __getitem__(self, key: slice) -> list[TitleResult]: ...
    def __getitem__(self, key: int | str | slice) -> TitleResult | list[TitleResult]:
        if not isinstance(key, str):
            return self._titles[key]
        if key not in self._of_id:
            raise KeyError(f"no title {key}; there are {', '.join(self._of_id)}")
        return self._of_id[key]

    def __iter__(self) -> Iterator[TitleResult]:
        return iter(self._titles)

    def __repr__(self) -> str:
        return f"<{several(len(self), 'title')}: {', '.join(map(str, self))}>"


def iterations_of(tables: SeasonTables, folders: Mapping[str, str]) -> Rows[Iteration]:
    """The rounds of adaptation of titles that are done; `folders` of these, by id."""
    table = tables.store.titles_table(folders, "iterations", ITERATIONS)
    return Rows(table, lambda row: Iteration(**row), "iteration")


def _only(rows: Rows[Any], what: str, title: TitleResult) -> Any:
    if not rows:
        raise KeyError(f"{title.id} has no {what}")
    return rows[0]
