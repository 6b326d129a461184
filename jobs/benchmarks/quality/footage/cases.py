"""What is asked of a method: a season as a title, an episode, some characters of it, a small title cut from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from jobs.benchmarks.quality.footage.seasons import Extracted
from jobs.benchmarks.quality.footage.small_titles import Appearance, small_titles
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks
from vcn_ray.evaluate.ground_truth import GroundTruth, TrackMatches
from vcn_ray.track_files.content import file_name

SMALL, LONG = "small titles", "long mixed"

#: Kinds of cases on a season's own videos; degraded copies are measured whole, and so are joined seasons (`LONG`).
KINDS = ("whole", "episodes", "characters", "one character", "all different", SMALL)

_CHARACTERS = (2, 5)


@dataclass(frozen=True)
class Case:
    """Some tracks of some footage, and the labels that they are held against."""

    of: Extracted
    kind: str  # of KINDS, or LONG; that of a degraded copy is its kind of degradation
    name: str
    truth_tracks: bool  # regrouped by the ground truth; else as detected
    track_ids: tuple[int, ...] | None = None  # the tracks of it; None: all
    videos: tuple[str, ...] | None = None  # file names of the videos whose labels count; None: all
    identities: tuple[str, ...] | None = None  # the identities whose labels count; None: all
    appearances: tuple[Appearance, ...] | None = None  # the appearances whose labels count; None: all

    @property
    def tracks(self) -> str:
        """Whose tracks they are."""
        return "truth" if self.truth_tracks else "detected"

    @property
    def teaches(self) -> bool:
        """Whether calibrations are fitted to it: a season as it is or degraded, each counted once."""
        return self.kind not in (SMALL, LONG) and self.track_ids is None

    @property
    def as_whole(self) -> Case:
        """The same under the name of the whole title, where it is nothing less: what would be measured twice."""
        return replace(self, kind="whole", name="whole") if self.kind == SMALL and self.track_ids is None else self

    def __str__(self) -> str:
        return f"{self.of.footage.name}, {self.name}, {self.tracks} tracks"

    def labels(self, truth: GroundTruth) -> GroundTruth:
        """The labels that count."""
        keep = np.ones(len(truth), bool)
        if self.videos is not None:
            keep &= np.isin(truth.video.astype(str), self.videos)
        if self.identities is not None:
            keep &= np.isin(truth.identity.astype(str), self.identities)
        if self.appearances is not None:
            counted = set(self.appearances)
            keep &= np.array([one in counted for one in zip(truth.video, truth.shot, truth.identity, strict=True)])
        return GroundTruth(*(getattr(truth, name)[keep] for name in ("video", "frame", "boxes", "identity", "shot")))


def cases_of(
    extracted: Extracted, tracks: TitleTracks, truth: GroundTruth, kinds: Collection[str], *, truth_tracks: bool = False
) -> list[Case]:
    """The cases of these kinds that some footage gives.

    Subsets of characters leave out false tracks: those are nobody's. The random draw is the same in every call. A case
    that the footage cannot give (a single episode of a film, five characters where there are five) is left out. Small
    titles are those of `small_titles`.

    Args:
        extracted: the footage.
        tracks: its tracks, already regrouped where `truth_tracks` says so.
        truth: its labels.
        kinds: of `KINDS`; a degraded copy is one case whatever they are, and so is a joined title.
        truth_tracks: whether the tracks are the ground truth's own.
    """
    degraded = extracted.footage.degraded
    if degraded:
        return [Case(extracted, degraded, degraded, truth_tracks)]
    if extracted.footage.joined:
        return [Case(extracted, LONG, f"{len(extracted.footage.joined)} joined", truth_tracks)]
    matches = tracks.match(truth)
    usable = set(tracks.crops["track_id"].to_pylist())
    identity = {t: who for t, who in zip(matches.track_id.tolist(), matches.identity, strict=True) if who is not None}
    counts = Counter(who for track, who in identity.items() if track in usable)
    ranked = sorted(counts, key=lambda who: (-counts[who], who))

    def subset(kind: str, name: str, who: Collection[str], members: Collection[int] | None = None) -> Case:
        if members is None:
            members = [track for track, shown in identity.items() if shown in who]
        return Case(extracted, kind, name, truth_tracks, tuple(sorted(members)), identities=tuple(sorted(who)))

    found = [Case(extracted, "whole", "whole", truth_tracks)] if "whole" in kinds else []
    if "episodes" in kinds and len(extracted.footage.videos) > 1:
        of_video = list(zip(tracks.tracks["video"].to_pylist(), tracks.tracks["track_id"].to_pylist(), strict=True))
        for video in sorted({v for v, _ in of_video}):
            members = tuple(track for v, track in of_video if v == video)
            name = file_name(video)
            found.append(Case(extracted, "episodes", f"episode {name}", truth_tracks, members, videos=(name,)))
    if "characters" in kinds:
        for number in _CHARACTERS:
            if len(ranked) > number:
                found.append(subset("characters", f"characters {number}", ranked[:number]))
                drawn = np.random.default_rng(number).choice(sorted(ranked), number, replace=False).tolist()
                if set(drawn) != set(ranked[:number]):
                    found.append(subset("characters", f"characters {number}, drawn", drawn))
    if "one character" in kinds and len(ranked) > 1:
        found.append(subset("one character", "one character", ranked[:1]))
    if "all different" in kinds and len(ranked) > 1:
        longest = _longest_tracks(matches, usable)
        found.append(subset("all different", "all different", longest, longest.values()))
    if SMALL in kinds:
        cut = small_titles(tracks, truth)
        found += [Case(extracted, SMALL, s.name, truth_tracks, s.track_ids, appearances=s.appearances) for s in cut]
    return found


def title_of_case(case: Case, tracks: TitleTracks, truth: GroundTruth) -> TitleTracks:
    """The case's tracks, from the detected ones of its footage."""
    chosen = tracks.regrouped(truth) if case.truth_tracks else tracks
    return chosen if case.track_ids is None else chosen.of_tracks(case.track_ids)


def write_labels(truth: GroundTruth, path: Path) -> None:
    """Write labels as the CSV that `read_ground_truth` reads."""
    boxes = dict(zip("xywh", truth.boxes.T, strict=True))
    columns = {"video": truth.video.tolist(), "frame": truth.frame, **boxes, "identity": truth.identity.tolist()}
    pacsv.write_csv(pa.table(columns | {"shot": [str(shot) for shot in truth.shot]}), path)


def _longest_tracks(matches: TrackMatches, usable: Collection[int]) -> dict[str, int]:
    """The track of each identity that has the most faces, of those that are usable; the first among equals."""
    longest: dict[str, tuple[int, int]] = {}
    for track, who, faces in zip(matches.track_id.tolist(), matches.identity, matches.boxes.tolist(), strict=True):
        if who is not None and track in usable and faces > longest.get(who, (0, 0))[0]:
            longest[who] = faces, track
    return {who: track for who, (_, track) in longest.items()}
