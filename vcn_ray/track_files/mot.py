"""MOT challenge text, both ways: ``frame,id,x,y,w,h,conf,class,visibility,-1``, where frames count from 1.

The eighth column is a class, as MOT16 and later have it (Milan et al., arXiv 1603.00831), and CVAT and Datumaro write
it: the number, from 1, of a line of ``labels.txt`` beside, which here is who is seen; -1 where nobody knows. A box of
visibility 0 was not seen but filled in between others. ``seqinfo.ini`` says for which frame rate and size of picture a
sequence was made. Pixels are taken as they are, as most writers do.
"""

from __future__ import annotations

import configparser
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vcn_ray.errors import InputError
from vcn_ray.track_files.content import TrackFile, check_boxes, faces_table

GT_KEY, LABELS_KEY, INFO_KEY = "gt/gt.txt", "gt/labels.txt", "seqinfo.ini"
#: Frames and ids are below this.
_LARGEST_NUMBER = 2**31

_COLUMNS = ("frame", "id", "x", "y", "w", "h", "conf", "class", "visibility")


def read_mot(
    source: str,
    text: str,
    labels: Sequence[str] | None = None,
    video: str | None = None,
    rate: float | None = None,
    size: tuple[float, float] | None = None,
) -> TrackFile:
    """The tracks of a file.

    Without labels the ids are the identities, as they are in MOT's ground truth. Boxes that ground truth says to
    ignore (conf 0, with a class) are left out; a conf outside of 0..1 says nothing.

    Args:
        source: path or URL, for messages.
        text: its content.
        labels: the names of classes, the first of class 1.
        video: that it is of; None: whichever it is used for.
        rate: frames a second that it was made for, where that is known.
        size: width and height of the picture that it was made for, where that is known.
    """
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    rows = np.full((len(lines), len(_COLUMNS)), np.nan)
    for at, (n, line) in enumerate(lines):
        fields = re.split(r"[,;\s]+", line.strip().strip(",;"))[: len(_COLUMNS)]
        try:
            rows[at, : len(fields)] = [float(one) for one in fields]
        except ValueError:
            fields = []
        whole = (rows[at, :2] == np.round(rows[at, :2])) & (np.abs(rows[at, :2]) < _LARGEST_NUMBER)
        if len(fields) < 6 or not whole.all():
            raise InputError(f"{source}, line {n}: a line is frame,id,x,y,w,h,conf,-1,-1,-1, not {line.strip()[:60]!r}")
    rows[:, 6] = np.where(np.isnan(rows[:, 6]), 1, rows[:, 6])
    numbers = np.array([n for n, _ in lines])
    kept = ~((rows[:, 6] == 0) & (rows[:, 7] >= 1))
    rows, numbers = rows[kept], numbers[kept]
    if not len(rows):
        raise InputError(f"{source}: it has no box; a line is frame,id,x,y,w,h,conf,-1,-1,-1")
    if rows[:, 0].min() < 1:
        n = numbers[int(rows[:, 0].argmin())]
        raise InputError(f"{source}, line {n}: MOT's frames count from 1; count yours so, or write a CSV")
    if rows[:, 1].min() < 0:
        n = numbers[int(rows[:, 1].argmin())]
        raise InputError(f"{source}, line {n}: this box is of no track (id {rows[:, 1].min():g}); leave it out")
    check_boxes(source, rows[:, 2:6], rows[:, 0].astype(np.int64) - 1, "line", numbers)
    score = np.where((rows[:, 6] > 0) & (rows[:, 6] <= 1), rows[:, 6], 1.0)
    unseen = rows[:, 8] == 0
    tracks = [str(int(one)) for one in rows[:, 1]]
    made: dict[str, Any] = {
        "video": [video] * len(rows),
        "frame": rows[:, 0].astype(np.int64) - 1,
        **{name: rows[:, 2 + n] for n, name in enumerate("xywh")},
        "track": tracks,
        "score": pa.array(score, mask=unseen),
        "identity": tracks if labels is None else [_label(labels, one) for one in rows[:, 7].tolist()],
    }
    rates = {} if rate is None else {video: rate}
    sizes = {} if size is None else {video: size}
    return TrackFile(source, faces_table(made), rates, sizes)


def read_mot_sequence(source: str, text: str, name: str | None, companion: Callable[[str], str | None]) -> TrackFile:
    """The tracks of a sequence's ``gt/gt.txt``, with what lies beside it.

    Args:
        source: path or URL of ``gt.txt``.
        text: its content.
        name: of the sequence's folder.
        companion: gives the text of a file of the sequence, by its path there; None where there is none.
    """
    info: dict[str, str] = {}
    given = companion(INFO_KEY)
    if given is not None:
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(given)
            info = dict(parser["Sequence"])
        except (configparser.Error, KeyError):
            raise InputError(f"{source}: the {INFO_KEY} of its sequence has no readable [Sequence]; mend it") from None
    labels = companion(LABELS_KEY)
    width, height = _number(source, info, "imwidth"), _number(source, info, "imheight")
    return read_mot(
        source,
        text,
        None if labels is None else labels.splitlines(),
        info.get("name", name),
        _number(source, info, "framerate"),
        (width, height) if width and height else None,
    )


def write_mot_sequence(
    folder: Path, faces: Sequence[tuple[int, int, Sequence[float], float | None, str | None]], info: Mapping[str, Any]
) -> None:
    """Write a sequence.

    Args:
        folder: of the sequence; made.
        faces: (frame from 0, track from 0, box x y w h, score or None, who or None), in order.
        info: keys and values of ``seqinfo.ini``.
    """
    (folder / "gt").mkdir(parents=True)
    names = list(dict.fromkeys(who for *_, who in faces if who is not None))
    number = {name: n for n, name in enumerate(names, 1)}
    lines = []
    for frame, track, box, score, who in faces:
        place = ",".join(f"{side:.9g}" for side in box)
        conf, visibility = ("1", 0) if score is None else (f"{score:.9g}", 1)
        lines.append(f"{frame + 1},{track + 1},{place},{conf},{-1 if who is None else number[who]},{visibility},-1\n")
    (folder / GT_KEY).write_text("".join(lines), encoding="utf-8")
    (folder / LABELS_KEY).write_text("".join(f"{' '.join(name.split())}\n" for name in names), encoding="utf-8")
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # MOT's keys have capitals
    parser["Sequence"] = {name: str(value) for name, value in info.items()}
    with open(folder / INFO_KEY, "w", encoding="utf-8") as file:
        parser.write(file, space_around_delimiters=False)


def _label(labels: Sequence[str], number: float) -> str | None:
    return labels[int(number) - 1] if 1 <= number <= len(labels) else None


def _number(source: str, info: Mapping[str, str], name: str) -> float | None:
    if name not in info:
        return None
    try:
        value = float(info[name])
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise InputError(f"{source}: {name} of its {INFO_KEY} is {info[name]!r}; write a number above 0")
    return value
