"""The page of a season: its cast across the titles, the titles with their characters, what failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from vcn_ray.export.charts import span_text
from vcn_ray.export.doubtful_tracks import count_doubtful
from vcn_ray.export.pictures import THUMB, Pictures
from vcn_ray.export.render import render_page
from vcn_ray.export.title_page import TitleReport
from vcn_ray.storage.store import Store

FACES_PER_TITLE = 12
#: Members of the cast that the page shows, by screen time; the table beside it has all.
MOST_MEMBERS = 60
#: Size that the pictures of one title may have on the season's page; a hundred titles stay near 4 MB.
PICTURE_BUDGET_BYTES = 40_000


@dataclass(frozen=True)
class Face:
    """A character in a title's face strip."""

    name: str
    screen_time_s: float
    picture: str | None  # data URI
    cluster_id: int | None = None


@dataclass(frozen=True)
class Presence:
    """A member of the cast in a title."""

    href: str  # of the character on the title's page, seen from the season's
    time: str  # in whole seconds or minutes
    text: str  # in words
    share: int  # per cent of the longest presence of any member in any title; at least 1


@dataclass(frozen=True)
class Member:
    """A member of the cast, as a row of the page."""

    cast_id: int
    name: str
    screen_time_s: float
    titles: int
    picture: str | None  # data URI
    presence: list[Presence | None]  # one for each title that is done, in the order shown


@dataclass(frozen=True)
class SeasonEntry:
    """A title as the season's page shows it; JSON-able, so that it can be stored beside the title's tables.

    `status` is "done" or "failed"; a failed title has its `error` sentence and nothing else has to be known of it.
    """

    title: str
    status: str
    href: str | None = None  # of the title's page, seen from the season's
    error: str | None = None
    videos: list[str] = field(default_factory=list)
    duration_s: float = 0.0
    characters: int = 0
    tracks: int = 0
    unknown: int = 0
    doubtful: int = 0  # tracks that the title's page asks to review
    face_count: int = 0
    seconds: float = 0.0  # that the title took
    pack: str = ""  # face models, which titles may differ in
    licence: str = ""
    strip: list[Face] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able dict; `from_dict` reads it back."""
        return asdict(self)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> SeasonEntry:
        """What `to_dict` gave."""
        return SeasonEntry(**{**content, "strip": [Face(**face) for face in content["strip"]]})


@dataclass(frozen=True)
class SeasonReport:
    """All that the page of a season shows."""

    name: str
    entries: list[SeasonEntry]  # in the order to show
    method: str
    pack: str  # of the run; titles may have others
    licence: str
    versions: Mapping[str, str] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)  # as `cast_members` gives them
    cast_size: int = 0
    recurring: int = 0  # members seen in more than one title
    cast_of_character: Mapping[tuple[str, int], int] = field(default_factory=dict)  # (title, cluster_id) -> cast_id
    warnings: list[str] = field(default_factory=list)
    seconds: float | None = None  # wall time of the run
    files: list[str] = field(
        default_factory=lambda: [
            f"{name}.{kind}" for name in ("cast", "clusters", "tracks", "faces") for kind in ("csv", "parquet")
        ]
    )


def season_entry(report: TitleReport, href: str) -> SeasonEntry:
    """What the season's page says of a finished title.

    Args:
        report: the title's.
        href: of its page, seen from the season's page.
    """
    pictures = Pictures(report.crops, PICTURE_BUDGET_BYTES)
    rows = sorted(report.clusters.to_pylist(), key=lambda row: (-(row["screen_time_s"] or 0.0), row["cluster_id"]))
    strip = [
        Face(
            name=row["character"] or f"Character {row['cluster_id']}",
            screen_time_s=row["screen_time_s"] or 0.0,
            picture=None
            if row["best_track_id"] is None or row["best_frame"] is None
            else pictures.at(row["best_track_id"], row["best_frame"], THUMB),
            cluster_id=row["cluster_id"],
        )
        for row in rows[:FACES_PER_TITLE]
    ]
    return SeasonEntry(
        title=report.title,
        status="done",
        href=href,
        videos=[video.name for video in report.videos],
        duration_s=sum(video.duration_s for video in report.videos),
        characters=len(rows),
        tracks=len(report.tracks),
        unknown=report.tracks["cluster_id"].null_count,
        doubtful=count_doubtful(report.tracks),
        face_count=len(report.faces),
        seconds=sum(report.timings_s.values()),
        pack=report.pack,
        licence=report.licence,
        strip=strip,
    )


def cast_members(
    cast: pa.Table,
    clusters: Mapping[str, pa.Table],
    cast_of_character: Mapping[tuple[str, int], int],
    hrefs: Mapping[str, str],
    pictures: Mapping[int, str],
) -> list[Member]:
    """The members of the cast that the page shows, by screen time, each with where it is seen.

    Args:
        cast: as `schemas.CAST`.
        clusters: the clusters table of each finished title, by title in the order to show.
        cast_of_character: the member that each (title, cluster_id) is.
        hrefs: of each title's page, seen from the season's.
        pictures: data URI of a member's face, by cast_id, where there is one.
    """
    seen: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for title, table in clusters.items():
        for row in table.to_pylist():
            of_member = seen.setdefault(cast_of_character[title, row["cluster_id"]], {})
            of_member.setdefault(title, []).append(row)
    shown = cast.slice(0, MOST_MEMBERS).to_pylist()
    times = {
        (row["cast_id"], title): sum(character["screen_time_s"] for character in own)
        for row in shown
        for title, own in seen[row["cast_id"]].items()
    }
    longest = max(times.values(), default=0.0)

    def presence(cast_id: int, name: str, title: str) -> Presence | None:
        if (cast_id, title) not in times:
            return None
        seconds, own = times[cast_id, title], seen[cast_id][title]
        best = max(own, key=lambda character: (character["screen_time_s"], -character["cluster_id"]))
        tracks = sum(character["tracks"] for character in own)
        return Presence(
            href=f"{hrefs[title]}#c{best['cluster_id']}",
            time=f"{max(round(seconds), 1)}s" if seconds < 59.5 else f"{round(seconds / 60)}m",
            text=f"{name} in {title}: {span_text(seconds)}, {tracks} {'track' if tracks == 1 else 'tracks'}",
            share=max(1, round(100 * seconds / longest)) if longest else 1,
        )

    members = []
    for row in shown:
        name = row["character"] or f"Cast {row['cast_id']}"
        members.append(
            Member(
                cast_id=row["cast_id"],
                name=name,
                screen_time_s=row["screen_time_s"],
                titles=row["titles"],
                picture=pictures.get(row["cast_id"]),
                presence=[presence(row["cast_id"], name, title) for title in clusters],
            )
        )
    return members


def failed_entry(title: str, error: str, videos: list[str]) -> SeasonEntry:
    """What the season's page says of a title that failed: the sentence that tells why and what to do."""
    return SeasonEntry(title=title, status="failed", error=error, videos=videos)


def write_season_page(store: Store, report: SeasonReport, key: str = "index.html") -> None:
    """Write the season's page, one self-contained HTML file.

    Args:
        store: the season's, where its tables lie beside the page.
        report: what to show.
        key: the page's name.
    """
    store.write_bytes(key, season_page(report))


def season_page(report: SeasonReport) -> bytes:
    """A season's page as HTML; the same report gives the same bytes."""
    done = [entry for entry in report.entries if entry.status == "done"]
    return render_page(
        "season.html.j2",
        report=report,
        done=len(done),
        models=sorted({(entry.pack, entry.licence) for entry in done if entry.pack}) or [(report.pack, report.licence)],
        columns=done,
        failed=[entry for entry in report.entries if entry.status == "failed"],
        totals={
            name: sum(getattr(entry, name) for entry in done)
            for name in ("duration_s", "characters", "tracks", "unknown", "face_count")
        },
    )
