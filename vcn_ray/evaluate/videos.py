"""Which videos a run is of, by the file names that the ground truth goes by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.errors import InputError
from vcn_ray.evaluate.ground_truth import GroundTruth
from vcn_ray.track_files.content import file_name


def video_names(faces: pa.Table) -> np.ndarray:
    """File name of each row's video, (n,) objects; each distinct one is parsed once."""
    encoded = faces["video"].combine_chunks().dictionary_encode()
    names = np.array([file_name(v) for v in encoded.dictionary.to_pylist()], dtype=object)
    return names[encoded.indices.to_numpy()] if len(faces) else np.empty(0, dtype=object)


def videos_of(faces: pa.Table) -> set[str]:
    """File names of a title's videos; `InputError` where two of them have one."""
    found: dict[str, str] = {}
    for video in pc.unique(faces["video"]).to_pylist():
        other = found.setdefault(file_name(video), video)
        if other != video:
            raise InputError(
                f"the videos {other} and {video} of one title have the same file name, by which the ground truth goes; "
                "rename one, run again, and name it so in the ground truth"
            )
    return set(found)


def check_videos(videos: dict[str, set[str]], truth: GroundTruth, path: str | Path) -> None:
    """Raise `InputError` where two titles have a video of one name, or none of them has a labelled one.

    Args:
        videos: file names of each title's videos.
        truth: the labels.
        path: where they were read from.
    """
    seen: dict[str, str] = {}
    for title, names in videos.items():
        for name in names:
            if name in seen:
                raise InputError(
                    f"a video {name} is in the titles {seen[name]!r} and {title!r}: the ground truth {path} cannot "
                    "tell them apart; evaluate each title's folder on its own"
                )
            seen[name] = title
    if seen and not set(seen) & set(truth.video):
        raise InputError(
            f"{path} labels {', '.join(sorted(set(truth.video))[:3])}, but the run is of "
            f"{', '.join(sorted(seen)[:3])}: its column video is to hold the file names of the run's videos"
        )
