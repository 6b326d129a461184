"""Sheets of a title's characters, a row of faces each (S Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vcn_ray.errors import InputError
from vcn_ray.export.charts import span_text
from vcn_ray.export.pictures import CropIndex, decode_crop
from vcn_ray.plots.style import QUIET, add_note, plain
from vcn_ray.plots.title_data import TitleData

MOST_ROWS = 20
FACES_PER_ROW = 10
_FACE_PX = 84
_GAP_PX = 6
_ROW_PX = _FACE_PX + 12


def sheet_figure(title: TitleData) -> Figure:
    """The faces of each character: the best first, then of different tracks, spread over time (S Fig. 3).

    The supplement shows clusters of three data sets, with what varies in each named by hand. Here all characters of the
    title are shown by screen time, up to `MOST_ROWS`. With ground truth a face is framed and crossed whose track shows
    somebody else than most of the character's tracks do.
    """
    rows = title.clusters.to_pylist()
    rows.sort(key=lambda row: (-(row["screen_time_s"] or 0.0), row["cluster_id"]))
    if not rows:
        raise InputError(f"title {title.id!r}: it has no character, so there is no sheet to draw")
    shown = rows[:MOST_ROWS]
    crops = title.read_crops()
    index, jpegs, track_of_row = CropIndex(crops), crops["jpeg"], crops["track_id"].to_numpy()
    tracks_of = _tracks_by_cluster(title)
    width = FACES_PER_ROW * (_FACE_PX + _GAP_PX)
    figure = Figure(figsize=(2.0 + width / 110, 0.9 + len(shown) * _ROW_PX / 110))
    axes = figure.subplots()
    sheet = np.full((len(shown) * _ROW_PX, width, 3), 255, np.uint8)
    wrong = []
    for row, character in enumerate(shown):
        own = tracks_of.get(character["cluster_id"], [])
        for column, crop in enumerate(_choose_faces(index, own, character)):
            top, left = row * _ROW_PX, column * (_FACE_PX + _GAP_PX)
            face = cv2.resize(decode_crop(jpegs[crop].as_py()), (_FACE_PX, _FACE_PX), interpolation=cv2.INTER_AREA)
            sheet[top : top + _FACE_PX, left : left + _FACE_PX] = face[:, :, ::-1]
            if _is_wrong(title, int(track_of_row[crop]), character["cluster_id"]):
                wrong.append((left, top))
    axes.imshow(sheet, interpolation="none", aspect="equal")
    for left, top in wrong:
        _cross(axes, left, top)
    for row, character in enumerate(shown):
        _write_label(axes, title, character, tracks_of.get(character["cluster_id"], []), row * _ROW_PX)
    axes.axis("off")
    figure.suptitle(f"{plain(title.id, 40)}: characters by screen time", x=0.01, ha="left", fontsize=10, weight="bold")
    add_note(figure, _note(title, rows[MOST_ROWS:]))
    return figure


def _tracks_by_cluster(title: TitleData) -> dict[int, list[int]]:
    """Tracks of each character, in order of time."""
    table = title.tracks.sort_by([("video", "ascending"), ("first_time_s", "ascending"), ("track_id", "ascending")])
    tracks: dict[int, list[int]] = {}
    for track, cluster in zip(table["track_id"].to_pylist(), table["cluster_id"].to_pylist(), strict=True):
        if cluster is not None:
            tracks.setdefault(cluster, []).append(track)
    return tracks


def _choose_faces(index: CropIndex, tracks: list[int], character: dict) -> list[int]:
    """Rows of the table of crops, each once: of few tracks, more from each in turn."""
    faces = index.samples(tracks, character["best_track_id"], character["best_frame"], FACES_PER_ROW)
    varied = ((nth, crop) for track in tracks for nth, crop in enumerate(index.varied(track, FACES_PER_ROW)))
    return list(dict.fromkeys([*faces, *(crop for _, crop in sorted(varied))]))[:FACES_PER_ROW]


def _is_wrong(title: TitleData, track: int, cluster: int) -> bool:
    identity = (title.identity_of_track or {}).get(track)
    return identity is not None and identity != title.identity_of_cluster.get(cluster)


def _cross(axes: Axes, left: int, top: int) -> None:
    """A frame and a cross that are seen on light and dark faces, in grey too."""
    side = _FACE_PX - 1
    for colour, width in (("white", 3.6), ("black", 1.6)):
        axes.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor=colour, linewidth=width))
        for ends in ((top, top + side), (top + side, top)):
            axes.plot([left, left + side], ends, color=colour, linewidth=width, alpha=0.85)


def _write_label(axes: Axes, title: TitleData, character: dict, tracks: Sequence[int], top: int) -> None:
    number = len(tracks)
    facts = [f"{number} track{'s' * (number != 1)}, {span_text(character['screen_time_s'] or 0.0)}"]
    identity = title.identity_of_cluster.get(character["cluster_id"])
    if title.identity_of_track is not None:
        labelled = [title.identity_of_track.get(track) for track in tracks]
        right, known = labelled.count(identity), sum(one is not None for one in labelled)
        facts.append(f"is {plain(identity, 18)}: {right} of {known}" if identity else "nobody labelled")
    x = -10
    axes.text(x, top + 14, plain(title.label_of_cluster[character["cluster_id"]], 26), ha="right", weight="bold")
    for line, text in enumerate(facts):
        axes.text(x, top + 34 + 17 * line, text, ha="right", fontsize=7.5, color=QUIET)


def _note(title: TitleData, left_out: Sequence[dict]) -> str:
    said = "Aligned crops; the best first, then of different tracks, spread over time."
    if title.identity_of_track is not None:
        said += " Crossed: by ground truth another person than most of the row. 'is … : n of m': of labelled tracks."
    if left_out:
        tracks = sum(row["tracks"] for row in left_out)
        said += f"\n{len(left_out)} more characters, of {tracks} tracks together, are not shown."
    return said
