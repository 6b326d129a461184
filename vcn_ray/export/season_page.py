"""The page of a season: its titles with their characters, what failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vcn_ray.export.pictures import THUMB, Pictures
from vcn_ray.export.render import render_page
from vcn_ray.export.title_page import TitleReport
from vcn_ray.storage import Store

FACES_PER_TITLE = 12
#: Size that the pictures of one title may have on the season's page; a hundred titles stay near 4 MB.
PICTURE_BUDGET_BYTES = 40_000


@dataclass(frozen=True)
class Face:
    """A character in a title's face strip."""

    name: str
    screen_time_s: float
    picture: str | None  # data URI


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
    face_count: int = 0
    seconds: float = 0.0  # that the title took
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
    pack: str
    licence: str
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seconds: float | None = None  # wall time of the run
    files: list[str] = field(
        default_factory=lambda: [
            f"{name}.{kind}" for name in ("clusters", "tracks", "faces") for kind in ("csv", "parquet")
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
        face_count=len(report.faces),
        seconds=sum(report.timings_s.values()),
        strip=strip,
    )


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
        failed=[entry for entry in report.entries if entry.status == "failed"],
        totals={
            name: sum(getattr(entry, name) for entry in done)
            for name in ("duration_s", "characters", "tracks", "unknown", "face_count")
        },
    )
