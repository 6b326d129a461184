"""What names by a gallery are worth: one picture a person, half of the people not in the gallery, many times drawn.

A picture is a crop of a track, taken by chance. Who is named are the characters that have tracks in other titles than
the picture's (of a season of one title: other tracks than any picture's), by those tracks alone. So nobody is known
by a picture of the very shot that is to be named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa

from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.reliability import reliability_cells
from jobs.benchmarks.quality.tables import Grid, print_grids
from vcn_ray.cluster.similarity import unit
from vcn_ray.curation.galleries import KnownPeople, Person
from vcn_ray.curation.naming import weigh
from vcn_ray.curation.season_faces import SeasonFaces, groups_together, read_season_faces
from vcn_ray.errors import InputError
from vcn_ray.evaluate.ground_truth import match_tracks, read_ground_truth
from vcn_ray.evaluate.reliability import EDGES, Reliability
from vcn_ray.identify.naming import decide
from vcn_ray.identify.picture_faces import cut_face
from vcn_ray.identify.references import References, embed_faces
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.pipeline.split_tables import read_tracks
from vcn_ray.storage.store import Store

_CROPS_OF_TRACK = 4  # that may be drawn
_RIGHT, _WRONG_PERSON, _STRANGER = "named right", "named as another", "named, but nobody of the gallery"
_UNNAMED, _MISSED = "rightly unnamed", "missed: unnamed, but in the gallery"


@dataclass
class Answers:
    """What became of all characters of all galleries that were drawn."""

    counts: Counter[str] = field(default_factory=Counter)
    names: list[tuple[float, bool]] = field(default_factory=list)  # confidence of a name, whether it is right
    nobody: list[tuple[float, bool]] = field(default_factory=list)  # the same of "nobody of the gallery"


def names(
    seasons: Sequence[str], truths: Sequence[str], draws: int, in_gallery: float, models: FaceModels = INSTALLED
) -> None:
    """Measure finished seasons, print the answers and how far their confidence can be trusted.

    Args:
        seasons: folders of results.
        truths: the ground truth of each, a CSV.
        draws: galleries for each title that pictures are taken from.
        in_gallery: share of the people that is in the gallery.
        models: what the options' names of face models stand for.

    Raises `InputError` where a season or a ground truth cannot be used.
    """
    if len(seasons) != len(truths):
        raise InputError(f"{len(seasons)} folders of results and {len(truths)} ground truths: give one to each")
    found = {
        url: measure(read_season_faces(Store(url)), truth, draws, in_gallery, models)
        for url, truth in zip(seasons, truths, strict=True)
    }
    kinds = (_RIGHT, _WRONG_PERSON, _STRANGER, _UNNAMED, _MISSED)
    rows = tuple((Store(url).name, *(str(answers.counts[kind]) for kind in kinds)) for url, answers in found.items())
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    trusted = tuple(
        (f"{Store(url).name}, {what}", *reliability_cells(Reliability(tuple(sorted(judged)))))
        for url, answers in found.items()
        for what, judged in (("names", answers.names), ("nobody of the gallery", answers.nobody))
        if judged
    )
    note = f"one picture a person, {in_gallery:.0%} of the people in the gallery, {draws} galleries for each title"
    confidence = "name_confidence: characters, their mean confidence, share that is right"
    print_grids(
        [
            Grid("characters by a gallery", ("season", *kinds), rows, note),
            Grid(confidence, ("answer", *bins, "calibration error", "Brier", "AUC"), trusted),
        ]
    )


def measure(season: SeasonFaces, truth: str, draws: int, in_gallery: float, models: FaceModels = INSTALLED) -> Answers:
    """The answers of one season; arguments as for `names`."""
    identity = _identities(season, truth)
    pictures = _Pictures(season, identity, models)
    people = sorted({one for one in identity if one is not None})
    answers = Answers()
    several = len(season.titles) > 1
    for source in range(len(season.titles)):
        for draw in range(draws):
            rng = np.random.default_rng([draw, source])
            chosen = rng.permutation(people)[: max(1, round(in_gallery * len(people)))].tolist()
            gallery = pictures.draw(chosen, source, rng)
            if not len(gallery.references):
                continue
            judged = season.found.title != source if several else ~np.isin(np.arange(len(identity)), gallery.rows)
            _judge(season, np.where(judged, season.found.member, -1), identity, gallery.references, answers)
    return answers


def _identities(season: SeasonFaces, truth: str) -> np.ndarray:
    """(tracks,) object: whom each track shows, None where that is not labelled."""
    labels = read_ground_truth(truth)
    identity = np.full(len(season.found), None, dtype=object)
    for number, title in enumerate(season.titles):
        faces = title.results.read_table("faces.parquet", ["video", "frame", "track_id", "x", "y", "w", "h"])
        boxes = np.stack([faces[name].to_numpy() for name in "xywh"], axis=1).astype(np.float64)
        video = faces["video"].to_numpy(zero_copy_only=False)
        shown = match_tracks(video, faces["frame"].to_numpy(), boxes, faces["track_id"].to_numpy(), labels)
        for track, one in zip(shown.track_id.tolist(), shown.identity, strict=True):
            identity[season.found.row(number, track)] = one
    return identity


@dataclass(frozen=True)
class _Drawn:
    references: References
    rows: np.ndarray  # (r,) tracks that the pictures are of


class _Pictures:
    """Embeddings of crops of all labelled tracks, each found and aligned as a user's picture is."""

    def __init__(self, season: SeasonFaces, identity: np.ndarray, models: FaceModels):
        if len(season.networks) != 1:
            raise InputError(f"{season.out.url}: titles of several face-ID networks are measured one by one")
        options = season.networks[0].options
        detector = models.pack(options).detector(options.tracks.min_face_score)
        rng = np.random.default_rng(0)
        rows, crops, refused = list[int](), list[np.ndarray](), 0
        for number, title in enumerate(season.titles):
            tell(f"pictures of {title.id}")
            for row, content in self._contents(read_tracks(title.work).crops, number, season, rng):
                if identity[row] is None:
                    continue
                try:
                    crops.append(cut_face(content, detector, options.tracks))
                except InputError:
                    refused += 1
                else:
                    rows.append(row)
        tell(f"{len(rows)} pictures; in {refused} no face, or several, are found")
        if not rows:
            raise InputError(f"{season.out.url}: the ground truth is of none of its tracks")
        self._row, self._raw = np.array(rows), embed_faces(models.base_network(options), crops)
        self._title, self._who = season.found.title[self._row], identity[self._row]

    @staticmethod
    def _contents(
        crops: pa.Table, number: int, season: SeasonFaces, rng: np.random.Generator
    ) -> Iterator[tuple[int, bytes]]:
        """Row of the track and JPEG of crops, a few of each track."""
        tracks = crops["track_id"].to_numpy()
        for track in np.unique(tracks):
            for place in rng.permutation(np.flatnonzero(tracks == track))[:_CROPS_OF_TRACK].tolist():
                yield season.found.row(number, int(track)), crops["jpeg"][place].as_py()

    def draw(self, people: Sequence[str], title: int, rng: np.random.Generator) -> _Drawn:
        """One picture of each of these people who has any in the title."""
        own = [(who, np.flatnonzero((self._who == who) & (self._title == title))) for who in people]
        picked = {who: int(rng.choice(places)) for who, places in own if len(places)}
        places = np.array(list(picked.values()), np.int64)
        raw = self._raw[places].astype(np.float64)
        ones, clarity = np.ones(len(places), np.int64), np.linalg.norm(raw, axis=1)
        return _Drawn(References(tuple(picked), unit(raw), ones, clarity), self._row[places])


def _judge(
    season: SeasonFaces, member: np.ndarray, identity: np.ndarray, references: References, answers: Answers
) -> None:
    """Name the characters that these members are, and count; member: (tracks,), -1 where it is not to be named."""
    known = member >= 0
    members = np.unique(member[known])
    group = np.where(known, np.searchsorted(members, member), -1)
    people = KnownPeople(tuple(Person(name) for name in references.name), {season.networks[0].face_id: references}, ())
    found = weigh(season, people, group, len(members), {})
    for number, verdict in enumerate(decide(found.probability, groups_together(group, season.found.together))):
        shown = Counter(one for one in identity[group == number] if one is not None)
        true = shown.most_common(1)[0][0] if shown else None
        in_gallery = true in references.name
        if verdict.reference is None:
            answers.counts[_MISSED if in_gallery else _UNNAMED] += 1
            answers.nobody.append((verdict.confidence, not in_gallery))
            continue
        right = references.name[verdict.reference] == true
        answers.counts[_RIGHT if right else _WRONG_PERSON if in_gallery else _STRANGER] += 1
        answers.names.append((verdict.confidence, right))
