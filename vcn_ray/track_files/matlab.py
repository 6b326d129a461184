"""The face tracks of The Big Bang Theory and Buffy as KIT gave them out: a MATLAB file with a struct FaceTracks.

Each of its elements is a track with the fields x, y, w, h and frames, and maybe trackerId and groundTruthIdentity
(Bäuml, Tapaswi and Stiefelhagen, "Semi-supervised Learning with Constraints for Person Identification in Multimedia
Data", CVPR 2013). The videos are not part of it; pixels are of a picture of 1024 x 576, at 25 frames a second.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from scipy.io import loadmat

from vcn_ray.errors import InputError
from vcn_ray.track_files.content import LARGEST_FRAME, TrackFile, check_boxes, faces_table

_STRUCT = "FaceTracks"
_BOX = ("x", "y", "w", "h")


def read_matlab(source: str, content: bytes) -> TrackFile:
    """The tracks of a file; `InputError` where it has no such struct, or one that is not as it should be."""
    try:
        found: Any = loadmat(io.BytesIO(content), squeeze_me=True, struct_as_record=True)
    except Exception as error:  # of whatever a damaged file makes of scipy's reader
        raise InputError(f"{source}: this MATLAB file cannot be read ({error}); save it with -v7") from None
    if _STRUCT not in found:
        held = ", ".join(name for name in found if not name.startswith("__"))
        raise InputError(f"{source}: it has no struct {_STRUCT}; it holds: {held or 'nothing'}")
    tracks = np.atleast_1d(found[_STRUCT])
    fields = tracks.dtype.names or ()
    missing = [name for name in (*_BOX, "frames") if name not in fields]
    if missing:
        raise InputError(f"{source}: its {_STRUCT} lack {', '.join(missing)}; they need x, y, w, h and frames")
    frames: list[np.ndarray] = []
    boxes: list[np.ndarray] = []
    names: list[str] = []
    who: list[str | None] = []
    for n, track in enumerate(tracks):
        try:
            given, *box = (np.asarray(track[name], np.float64).reshape(-1) for name in ("frames", *_BOX))
        except (TypeError, ValueError):
            raise InputError(
                f"{source}: track {n + 1} of its {_STRUCT} has frames or boxes that are no numbers"
            ) from None
        if not ((given == np.round(given)) & (np.abs(given) < LARGEST_FRAME)).all():
            raise InputError(f"{source}: track {n + 1} of its {_STRUCT} has frames that are no whole numbers")
        own = given.astype(np.int64)
        if any(len(side) != len(own) for side in box):
            raise InputError(f"{source}: track {n + 1} of its {_STRUCT} has not as many boxes as frames")
        frames.append(own)
        boxes.append(np.stack(box, axis=1))
        names += [_text(track, "trackerId") or str(n + 1)] * len(own)
        who += [_text(track, "groundTruthIdentity")] * len(own)
    if not sum(map(len, frames)):
        raise InputError(f"{source}: its {_STRUCT} have no box")
    frame, place = np.concatenate(frames), np.concatenate(boxes)
    check_boxes(source, place, frame, "box", np.arange(1, len(frame) + 1))
    columns = {name: place[:, k] for k, name in enumerate(_BOX)}
    return TrackFile(source, faces_table({"frame": frame, **columns, "track": names, "identity": who}))


def _text(track: Any, name: str) -> str | None:
    """A field as text, the first of several equal ones; None where it is not there or empty."""
    if name not in (track.dtype.names or ()):
        return None
    values = np.atleast_1d(track[name])
    return str(values[0]) if values.size and str(values[0]) else None
