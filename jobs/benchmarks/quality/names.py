"""What names by a gallery and searches for a person are worth, by pictures of another episode than is searched.

A picture is a crop of a track, taken by chance, dark and blurred ones too. Named and searched are the characters that
have tracks in other titles than the picture's (of a season of one title: other tracks than the pictures'), by those
tracks alone: nobody is known by a picture of the very shot that is to be named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.report.reliability import reliability_cells
from jobs.benchmarks.quality.report.tables import Grid, print_grids
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
from vcn_ray.identify.search import PeopleIndex
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.pipeline.split_tables import read_tracks
from vcn_ray.storage.store import Store

_CROPS_OF_TRACK = 4  # that may be drawn
_LEAST = 0.5
_RIGHT, _WRONG_PERSON, _STRANGER = "named right", "named as another", "named, but nobody of the gallery"
_UNNAMED, _MISSED = "rightly unnamed", "missed: unnamed, but in the gallery"
_SEARCHES, _FOUND, _OTHERS = "searches where the person is", "found their largest character", "somebody else found"
_ELSEWHERE, _FALSE = "searches in other seasons", "somebody found there"


@dataclass
class Answers:
    """What became of all galleries and pictures that were drawn."""

    counts: Counter[str] = field(default_factory=Counter)
    names: list[tuple[float, bool]] = field(default_factory=list)  # confidence of a name, whether it is right
    nobody: list[tuple[float, bool]] = field(default_factory=list)  # the same of "nobody of the gallery"


class LabelledSeason:
    """A finished season whose tracks' people are known, and pictures of them.

    Args:
        url: folder of the results; of one face-ID network.
        truth: its ground truth, a CSV.
        models: what the options' names of face models stand for.
    """

    def __init__(self, url: str, truth: str, models: FaceModels = INSTALLED):
        self.season = season = read_season_faces(Store(url))
        if len(season.networks) != 1:
            raise InputError(f"{url}: titles of several face-ID networks are measured one by one")
        self.network = season.networks[0]
        self.identity = _identities(season, truth)  # (tracks,) object: None where that is not labelled
        self.people = sorted({one for one in self.identity if one is not None})
        self._row, crops = self._cut(models)
        self._raw = embed_faces(models.base_network(self.network.options), crops).astype(np.float64)

    def _cut(self, models: FaceModels) -> tuple[np.ndarray, list[np.ndarray]]:
        """Crops of all labelled tracks, found and aligned as a user's picture is, and the rows of their tracks."""
        options = self.network.options
        pack = models.pack(options)
        detector = pack.detector(options.tracks.min_face_score)
        landmarks = pack.landmark_finder(options.tracks.landmarks)
        rng = np.random.default_rng(0)
        rows, crops, refused = list[int](), list[np.ndarray](), 0
        for number, title in enumerate(self.season.titles):
            tell(f"pictures of {title.id}")
            table = read_tracks(title.work).crops
            tracks = table["track_id"].to_numpy()
            for track in np.unique(tracks).tolist():
                row = self.season.found.row(number, track)
                if self.identity[row] is None:
                    continue
                for place in rng.permutation(np.flatnonzero(tracks == track))[:_CROPS_OF_TRACK].tolist():
                    try:
                        crops.append(cut_face(table["jpeg"][place].as_py(), detector, options.tracks, landmarks))
                    except InputError:
                        refused += 1
                    else:
                        rows.append(row)
        tell(f"{len(rows)} pictures; in {refused} no face, or several, are found")
        if not rows:
            raise InputError(f"{self.season.out.url}: the ground truth is of none of its tracks")
        return np.array(rows), crops

    def draw(self, people: Sequence[str], source: int, rng: np.random.Generator) -> tuple[References, np.ndarray]:
        """One picture of each of these who has any in the title `source`, and (tracks,) which tracks it may name."""
        found = self.season.found
        of_title = found.title[self._row] == source
        own = [(who, np.flatnonzero((self.identity[self._row] == who) & of_title)) for who in people]
        picked = {who: int(rng.choice(places)) for who, places in own if len(places)}
        places = np.array(list(picked.values()), np.int64)
        raw = self._raw[places]
        references = References(tuple(picked), unit(raw), np.ones(len(places), np.int64), np.linalg.norm(raw, axis=1))
        if len(self.season.titles) > 1:
            return references, found.title != source
        return references, ~np.isin(np.arange(len(found)), self._row[places])

    def shown(self, rows: np.ndarray) -> str | None:
        """Whom most of these tracks (a mask) show."""
        counts = Counter(one for one in self.identity[rows] if one is not None)
        return counts.most_common(1)[0][0] if counts else None

    def index(self, judged: np.ndarray) -> tuple[PeopleIndex, np.ndarray]:
        """Its people by the tracks of a mask, each Unknown track by itself, and (tracks,) which one each track is."""
        member = self.season.found.member
        group = np.where(member >= 0, member, member.max(initial=-1) + np.cumsum(member < 0))
        group = np.where(judged & np.isin(np.arange(len(member)), self.network.row), group, -1)
        known = group >= 0
        group[known] = np.unique(group[known], return_inverse=True)[1]
        means, tracks = self.network.means(group, int(group.max(initial=-1)) + 1)
        return PeopleIndex(means, tracks, groups_together(group, self.season.found.together)), group


def names(
    seasons: Sequence[str], truths: Sequence[str], draws: int, in_gallery: float, models: FaceModels = INSTALLED
) -> None:
    """Measure finished seasons, print the answers and how far their confidence can be trusted.

    Args:
        seasons: folders of results; of different people, where several are given.
        truths: the ground truth of each, a CSV.
        draws: galleries for each title that pictures are taken from.
        in_gallery: share of the people that is in the gallery.
        models: what the options' names of face models stand for.

    Raises `InputError` where a season or a ground truth cannot be used.
    """
    if len(seasons) != len(truths):
        raise InputError(f"{len(seasons)} folders of results and {len(truths)} ground truths: give one to each")
    labelled = [LabelledSeason(url, truth, models) for url, truth in zip(seasons, truths, strict=True)]
    found: dict[str, Answers] = {}
    for one in labelled:
        answers = found[one.season.out.name] = Answers()
        for source in range(len(one.season.titles)):
            for draw in range(draws):
                _name(one, source, draw, in_gallery, answers)
            _search(one, source, [other for other in labelled if other is not one], answers)
    note = f"one picture a person, {in_gallery:.0%} of the people in the gallery, {draws} galleries for each title"
    print_grids(
        [
            _counts("characters by a gallery", found, (_RIGHT, _WRONG_PERSON, _STRANGER, _UNNAMED, _MISSED), note),
            _trust(found),
            _counts("searches by one picture", found, (_SEARCHES, _FOUND, _OTHERS, _ELSEWHERE, _FALSE)),
        ]
    )


def _name(one: LabelledSeason, source: int, draw: int, in_gallery: float, answers: Answers) -> None:
    """Draw a gallery, name the characters by it, count."""
    season = one.season
    rng = np.random.default_rng([draw, source])
    chosen = rng.permutation(one.people)[: max(1, round(in_gallery * len(one.people)))].tolist()
    references, judged = one.draw(chosen, source, rng)
    if not len(references):
        return
    known = judged & (season.found.member >= 0)
    members = np.unique(season.found.member[known])
    group = np.where(known, np.searchsorted(members, season.found.member), -1)
    people = KnownPeople(tuple(Person(name) for name in references.name), {one.network.face_id: references}, ())
    found = weigh(season, people, group, len(members), {})
    for number, verdict in enumerate(decide(found.probability, groups_together(group, season.found.together), _LEAST)):
        true = one.shown(group == number)
        if verdict.reference is None:
            answers.counts[_MISSED if true in references.name else _UNNAMED] += 1
            answers.nobody.append((verdict.confidence, true not in references.name))
            continue
        right = references.name[verdict.reference] == true
        answers.counts[_RIGHT if right else _WRONG_PERSON if true in references.name else _STRANGER] += 1
        answers.names.append((verdict.confidence, right))


def _search(one: LabelledSeason, source: int, others: Sequence[LabelledSeason], answers: Answers) -> None:
    """Look for everybody by one picture, in this season and in the others, and count."""
    elsewhere = [(other.index(np.ones(len(other.identity), np.bool_))[0], other) for other in others]
    for number, who in enumerate(one.people):
        person, judged = one.draw([who], source, np.random.default_rng([source, number]))
        if not len(person):
            continue
        index, group = one.index(judged)
        shown = [one.shown(group == unit_number) for unit_number in range(int(group.max(initial=-1)) + 1)]
        sizes = np.bincount(group[group >= 0], minlength=len(shown))
        own = [place for place, true in enumerate(shown) if true == who]
        probability = index.find(person, one.season.evidence(one.network))
        if own:
            answers.counts[_SEARCHES] += 1
            answers.counts[_FOUND] += int(probability[max(own, key=lambda place: sizes[place])] > _LEAST)
        answers.counts[_OTHERS] += int(any(p > _LEAST and shown[place] != who for place, p in enumerate(probability)))
        for index, other in elsewhere:
            answers.counts[_ELSEWHERE] += 1
            answers.counts[_FALSE] += int(index.find(person, other.season.evidence(other.network)).max() > _LEAST)


def _counts(title: str, found: dict[str, Answers], kinds: Sequence[str], note: str = "") -> Grid:
    rows = tuple((name, *(str(answers.counts[kind]) for kind in kinds)) for name, answers in found.items())
    return Grid(title, ("season", *kinds), rows, note)


def _trust(found: dict[str, Answers]) -> Grid:
    """How often a confidence is right."""
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    rows = tuple(
        (f"{name}, {what}", *reliability_cells(Reliability(tuple(sorted(judged)))))
        for name, answers in found.items()
        for what, judged in (("names", answers.names), ("nobody of the gallery", answers.nobody))
        if judged
    )
    title = "name_confidence: characters, their mean confidence, share that is right"
    return Grid(title, ("answer", *bins, "calibration error", "Brier", "AUC"), rows)


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
