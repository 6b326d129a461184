"""The page of one title: its characters, when each is seen, what stayed Unknown and why, how the run went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from vcn_ray.export.charts import (
    Curve,
    ReliabilityCurve,
    chance_text,
    clock,
    iteration_curve,
    reliability_curve,
    time_ticks,
)
from vcn_ray.export.doubtful_tracks import DOUBTFUL_BELOW, find_doubtful
from vcn_ray.export.pictures import ICON, SAMPLE, THUMB, Pictures
from vcn_ray.export.render import render_page
from vcn_ray.export.thumbs import Thumb, thumb_of, unknown_groups, when
from vcn_ray.storage.store import Store

#: Size that all pictures of a page may have together; the page stays below 10 MB with it.
PICTURE_BUDGET_BYTES = 7 * 2**20
SAMPLES_PER_CHARACTER = 8
#: From so many tracks on, a character gets a row of pictures of its own; below, a small card.
TRACKS_FOR_A_ROW = 3
#: By how much a time line can be enlarged.
ZOOMS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class VideoSummary:
    """What a page says of a video; None where it is not known."""

    name: str
    duration_s: float
    frames: int | None = None
    fps: float | None = None
    width_px: int | None = None
    height_px: int | None = None


@dataclass(frozen=True)
class DrawnFigure:
    """A figure that was drawn of a title, or of its season, as files beside the page."""

    shows: str
    hrefs: dict[str, str]  # kind, such as "PNG" -> link


@dataclass(frozen=True)
class TitleReport:
    """All that the page of a title shows."""

    title: str
    videos: list[VideoSummary]  # in the order of the title
    faces: pa.Table  # schemas.FACES
    tracks: pa.Table  # schemas.TRACKS
    clusters: pa.Table  # schemas.CLUSTERS
    crops: pa.Table  # schemas.CROPS
    iterations: pa.Table  # schemas.ITERATIONS
    method: str
    pack: str  # name of the face models
    licence: str  # under which they may be used
    options: Mapping[str, Any] = field(default_factory=dict)  # as dumped; groups of options may nest
    versions: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)  # stage -> seconds, in the order to show
    warnings: list[str] = field(default_factory=list)
    evaluation: Mapping[str, Any] | None = None  # evaluate.Evaluation.to_dict()
    drawn: list[DrawnFigure] = field(default_factory=list)
    files: list[str] = field(
        default_factory=lambda: [
            f"{name}.{kind}" for name in ("clusters", "tracks", "faces") for kind in ("csv", "parquet")
        ]
    )
    season_href: str | None = None  # link back to the season's page


@dataclass(frozen=True)
class Character:
    """A character as pages show it."""

    cluster_id: int
    name: str
    tracks: int
    faces: int
    screen_time_s: float
    screen_share: float  # of the most seen character's, 0..1
    doubt: str  # what speaks against its being one person, or one at all; empty: too little
    first: str  # where it is first seen: time, with the video where there are several
    last: str
    samples: list[str]  # data URIs, the best first
    icon: str | None
    gallery: list[Thumb]


@dataclass(frozen=True)
class Bar:
    """A track on a time line: where, in per cent of its video, and what it is."""

    left: float
    width: float
    track_id: int
    text: str


@dataclass(frozen=True)
class Lane:
    """A row of a time line; cluster None is the Unknown."""

    cluster_id: int | None
    name: str
    bars: list[Bar]


@dataclass(frozen=True)
class TimeLine:
    """The lanes of one video, in the order of the characters."""

    video: str
    duration_s: float
    ticks: dict[int, list[tuple[float, str]]]  # by zoom: share of the duration, text
    lanes: list[Lane]


def write_title_page(store: Store, report: TitleReport, key: str = "report.html") -> None:
    """Write a title's page, one self-contained HTML file.

    Args:
        store: the title's, where its tables lie beside the page.
        report: what to show.
        key: the page's name.
    """
    store.write_bytes(key, title_page(report))


def title_page(report: TitleReport) -> bytes:
    """A title's page as HTML; the same report gives the same bytes."""
    pictures = Pictures(report.crops, PICTURE_BUDGET_BYTES)
    tracks = _tracks_in_order(report)
    by_cluster: dict[int | None, list[dict[str, Any]]] = defaultdict(list)
    for track in tracks:
        by_cluster[track["cluster_id"]].append(track)
    several_videos = len(report.videos) > 1
    characters = characters_of(report, pictures, by_cluster, several_videos)
    review = find_doubtful(by_cluster, {c.cluster_id: c.name for c in characters}, pictures, several_videos)
    unknown = unknown_groups(by_cluster[None], pictures, several_videos)
    characters = [_with_gallery(c, by_cluster[c.cluster_id], pictures, several_videos) for c in characters]
    iterations = report.iterations.to_pylist()
    return render_page(
        "title.html.j2",
        report=report,
        duration_s=sum(v.duration_s for v in report.videos),
        face_count=len(report.faces),
        track_count=len(tracks),
        unknown_count=len(by_cluster[None]),
        characters=[c for c in characters if c.tracks >= TRACKS_FOR_A_ROW],
        brief_characters=[c for c in characters if c.tracks < TRACKS_FOR_A_ROW],
        icons={c.cluster_id: c.icon for c in characters if c.icon},
        review=review,
        doubtful_below=DOUBTFUL_BELOW,
        unknown_groups=unknown,
        time_lines=_time_lines(report, by_cluster, characters),
        curves=_curves(iterations, report.evaluation),
        reliability=_reliability(report.evaluation),
        iterations=iterations,
        pictures_left_out=pictures.left_out,
        options=_options_by_group(report.options),
    )


def characters_of(
    report: TitleReport,
    pictures: Pictures,
    by_cluster: Mapping[int | None, list[dict[str, Any]]],
    several_videos: bool,
    samples: int = SAMPLES_PER_CHARACTER,
) -> list[Character]:
    """The title's characters by screen time, each with pictures; galleries are left empty."""
    rows = report.clusters.to_pylist()
    rows.sort(key=lambda row: (-(row["screen_time_s"] or 0.0), row["cluster_id"]))
    longest = max((row["screen_time_s"] or 0.0 for row in rows), default=0.0)
    characters = []
    for row in rows:
        own = by_cluster.get(row["cluster_id"], [])
        ids = [t["track_id"] for t in own]
        count = samples if len(own) >= TRACKS_FOR_A_ROW else 0  # few tracks are shown each, by the gallery
        found = pictures.samples(ids, row["best_track_id"], row["best_frame"], count)
        best = row["best_track_id"] if row["best_track_id"] is not None else max(ids, key=pictures.worth, default=-1)
        characters.append(
            Character(
                cluster_id=row["cluster_id"],
                name=row["character"] or f"Character {row['cluster_id']}",
                tracks=row["tracks"],
                faces=row["faces"],
                screen_time_s=row["screen_time_s"] or 0.0,
                screen_share=(row["screen_time_s"] or 0.0) / longest if longest else 0.0,
                doubt=_doubt(row),
                first=when(own[0], several_videos) if own else "",
                last=when(own[-1], several_videos, end=True) if own else "",
                samples=found,
                icon=pictures.at(best, -1 if row["best_frame"] is None else row["best_frame"], ICON),
                gallery=[],
            )
        )
    return characters


def _doubt(row: Mapping[str, Any]) -> str:
    """Words for the character's probabilities (a row of `schemas.CLUSTERS`) that are doubtful."""
    said = (("one person", row.get("one_person")), ("a person at all", row.get("is_person")))
    return ", ".join(f"{what}: {chance_text(p)}" for what, p in said if p is not None and p < DOUBTFUL_BELOW)


def _with_gallery(character: Character, tracks: list[dict[str, Any]], pictures: Pictures, several: bool) -> Character:
    # Galleries come last: when the budget runs out, they are what can be missed.
    size = SAMPLE if len(tracks) < TRACKS_FOR_A_ROW else THUMB
    thumbs = [thumb_of(t, pictures, several, size) for t in tracks]
    return replace(character, gallery=thumbs)


def _tracks_in_order(report: TitleReport) -> list[dict[str, Any]]:
    """Tracks by video (in the order of the title) and time."""
    order = {video.name: n for n, video in enumerate(report.videos)}
    tracks = report.tracks.to_pylist()
    tracks.sort(key=lambda t: (order.get(t["video"], len(order)), t["first_time_s"], t["track_id"]))
    return tracks


def _time_lines(
    report: TitleReport, by_cluster: Mapping[int | None, list[dict[str, Any]]], characters: list[Character]
) -> list[TimeLine]:
    rows: list[tuple[int | None, str]] = [(c.cluster_id, c.name) for c in characters]
    lines = []
    for video in report.videos:
        of_video = {key: [t for t in own if t["video"] == video.name] for key, own in by_cluster.items()}
        ends = [t["last_time_s"] for own in of_video.values() for t in own]
        duration_s = max([video.duration_s, *ends])
        lanes = [
            Lane(key, name, [bar_of(t, duration_s) for t in of_video[key]])
            for key, name in [*rows, (None, "Unknown")]
            if of_video.get(key)
        ]
        lines.append(
            TimeLine(video.name, duration_s, {zoom: time_ticks(duration_s, 8 * zoom) for zoom in ZOOMS}, lanes)
        )
    return lines


def bar_of(track: Mapping[str, Any], duration_s: float) -> Bar:
    """A track (a row of `schemas.TRACKS`) on a time line of so many seconds."""
    first, last = track["first_time_s"], track["last_time_s"]
    text = f"Track {track['track_id']}, {clock(first)}–{clock(last)}, {track['faces']} faces"
    if track["quality"] is not None:
        text += f", quality {track['quality']:.2f}"
    if track["confidence"] is not None:
        text += f", confidence {chance_text(track['confidence'])}"
    if track["reason"]:
        text += f", {track['reason']}"
    scale = 100 / duration_s if duration_s else 0.0
    return Bar(round(first * scale, 3), round((last - first) * scale, 3), track["track_id"], text)


def _curves(iterations: list[dict[str, Any]], evaluation: Mapping[str, Any] | None) -> list[Curve]:
    numbers = [row["iteration"] for row in iterations]
    curves = []
    if numbers:
        curves = [
            iteration_curve("Clusters", numbers, [row["clusters"] for row in iterations], 0),
            iteration_curve("Mean loss", numbers, [row["mean_loss"] for row in iterations], 3),
            iteration_curve("Mean quality", numbers, [row["mean_quality"] for row in iterations], 3),
        ]
    if evaluation and evaluation.get("iterations"):
        measured = {int(number): scores for number, scores in evaluation["iterations"].items()}
        wcp = [measured[number]["wcp"] for number in sorted(measured)]
        curves.append(iteration_curve("WCP (ground truth)", sorted(measured), wcp, 1, percent=True))
    return [curve for curve in curves if curve is not None]


def _reliability(evaluation: Mapping[str, Any] | None) -> ReliabilityCurve | None:
    found = evaluation.get("reliability") if evaluation else None
    return reliability_curve(found["bins"]) if found else None


def _options_by_group(options: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """(name, value) of the options of each group; those of no group come first, under ''."""
    groups: dict[str, list[tuple[str, str]]] = {"": []}
    for name, value in options.items():
        if isinstance(value, Mapping):
            groups[str(name)] = [(str(option), _text(setting)) for option, setting in value.items()]
        else:
            groups[""].append((str(name), _text(value)))
    return {group: rows for group, rows in groups.items() if rows}


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
