"""The default's clusters of a title of many tracks: as `clusterers.evidence_linkage` finds them, without matrices.

The curves are placed by some tracks drawn at random, as if these were the title, the share of pairs that are one
character by pairs drawn from all. Merging is by lists of the nearest, and whatever else needs a cluster needs its sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vcn_ray.cluster.character_confidence import CharacterConfidence, confidence_of_characters
from vcn_ray.cluster.clusterer import Clusters, TitleFaces, fitting_tracks
from vcn_ray.cluster.confidence import Reliance
from vcn_ray.cluster.evidence import Evidence, fit_share, pair_clarity, with_known_pairs
from vcn_ray.cluster.fusing import Heard, Sights
from vcn_ray.cluster.large.neighbour_linkage import find_characters, link
from vcn_ray.cluster.large.neighbours import Start
from vcn_ray.cluster.large.pair_space import PairSpace
from vcn_ray.cluster.large.weighing import ClusterWeights
from vcn_ray.cluster.links import pair_matrix

#: Tracks that place the curves, at most, and pairs that the share is fitted to.
_SAMPLE_TRACKS, _SAMPLE_PAIRS = 2000, 300_000

#: Others that each track knows, at most, and what one of them takes over the whole way, in bytes.
_NEIGHBOURS, _BYTES_PER_NEIGHBOUR = 64, 60

#: Of a character of more tracks so many say whether it falls into two halves: the odds of so many are at either end of
#: what `CharacterReliance` knows anyway.
_MOST_COMPARED = 1000

#: Fewer neighbours than these make too many rounds.
_LEAST_NEIGHBOURS = 8


def neighbours_in(memory_mb: int, n_tracks: int) -> int:
    """How many others each track may know, so that all lists fit into such memory; 8 where not even they do.

    Tracks' vectors (`pair_space`) do not count: there is no method without them.
    """
    fit = memory_mb * 10**6 // (max(n_tracks, 1) * _BYTES_PER_NEIGHBOUR)
    return int(np.clip(fit, _LEAST_NEIGHBOURS, _NEIGHBOURS))


def cluster_many(
    title: TitleFaces,
    sights: Sights,
    kept: np.ndarray,
    two_groups: np.ndarray,
    hear: Callable[..., Heard],
    *,
    sizes_in_prior: bool,
    number_in_prior: bool,
) -> Clusters:
    """Labels and confidence of all tracks.

    sights: of all; kept: (tracks,) bool, those clear enough to find characters by; two_groups: pairs of groups of
    `title.said` that are two people; hear: as `fusing.hear` with its first four arguments left to give.
    """
    links, options = title.said, title.options
    group, speaking = links.group, links.speaking(kept)
    if not speaking.any():
        nobody = np.full(len(kept), np.nan)
        return Clusters(np.full(len(kept), -1, np.int64), nobody, characters=CharacterConfidence.unknown(len(kept)))
    rng = np.random.default_rng(title.seed)
    space, evidence = _hear_some(title, sights, kept, group, two_groups, hear, rng)
    evidence = replace(evidence, sizes_in_prior=sizes_in_prior)
    evidence = _with_share_of_all(space, evidence, kept, group, two_groups, rng)
    least = float(np.log(options.false_merge_cost))
    some = np.flatnonzero(speaking)
    part = replace(space, direction=space.direction[some], clarity=space.clarity[some], student=space.student[some])
    start = Start.of(part, neighbours_in(options.memory_mb, len(some)), title.threads)
    labels = np.full(len(kept), -1, np.int64)
    if number_in_prior:
        labels[some], evidence = find_characters(start, group[some], two_groups, evidence, least)
    else:
        labels[some] = link(start, group[some], two_groups, evidence, least)
    labels = links.spread(labels)

    def weights() -> ClusterWeights:
        return ClusterWeights(space, labels, group, two_groups, evidence, title.threads)

    if options.low_quality == "attach":
        rest = np.flatnonzero((labels < 0) & ~links.left_out)
        given = weights().attached(rest, least)
        labels = np.where((labels < 0) & ~_clash(given, group, two_groups), given, labels)
    found = labels >= 0
    labels[found] = np.unique(labels[found], return_inverse=True)[1]
    weighed = weights()
    confidence = np.where(found, Reliance().probability(*weighed.weigh_labels()), np.nan)
    typical = None if title.calibration is None else title.calibration.typical_clarity
    characters = confidence_of_characters(
        weighed.members, space.matrix, space.clarity, evidence, typical, most_compared=_MOST_COMPARED
    )
    return Clusters(labels, confidence, characters=characters)


def _hear_some(
    title: TitleFaces,
    sights: Sights,
    kept: np.ndarray,
    group: np.ndarray,
    two_groups: np.ndarray,
    hear: Callable[..., Heard],
    rng: np.random.Generator,
) -> tuple[PairSpace, Evidence]:
    """The space of all tracks, and what its similarities are worth by what some of the kept ones say."""
    some = np.flatnonzero(kept)
    fit = fitting_tracks(title.options.memory_mb)
    if len(some) > min(_SAMPLE_TRACKS, fit):
        some = np.sort(rng.choice(some, min(_SAMPLE_TRACKS, fit), replace=False))
    numbers, number = np.unique(group[some], return_inverse=True)
    two = np.searchsorted(numbers, two_groups[np.isin(two_groups, numbers).all(axis=1)])
    cannot_link = pair_matrix(two, len(numbers))[number][:, number]
    linkable = np.triu(~cannot_link & (number[:, None] != number[None]), 1)
    heard = hear(sights.of(some), linkable, len(some), title.calibration)
    student = np.zeros((len(kept), 0), np.float32)
    of_base, of_student, constant = 1.0, 0.0, 0.0
    if heard.student is not None:
        student = np.concatenate(sights.students, axis=1, dtype=np.float32, casting="same_kind")
        student /= np.float32(np.sqrt(len(sights.students)))
        # Whatever fuses the two, it is linear in both: its factors are read off.
        known = np.stack([heard.base[linkable], heard.student[linkable], np.ones(linkable.sum())], axis=1)
        factors = np.linalg.lstsq(known, heard.similarity[linkable], rcond=None)[0]
        of_base, of_student, constant = factors.tolist()
    direction = sights.direction.astype(np.float32)
    space = PairSpace(direction, sights.clarity, student, heard.calibration, of_base, of_student, constant)
    return space, heard.evidence


def _with_share_of_all(
    space: PairSpace,
    evidence: Evidence,
    kept: np.ndarray,
    group: np.ndarray,
    two_groups: np.ndarray,
    rng: np.random.Generator,
) -> Evidence:
    """The evidence with the share of pairs that are one character as pairs drawn from all kept tracks have it."""
    tracks = np.flatnonzero(kept)
    if len(tracks) < 2:
        return evidence
    size = np.bincount(group[tracks], minlength=int(group.max(initial=-1)) + 1)
    known = int((size * (size - 1) // 2).sum())
    apart = int((size[two_groups[:, 0]] * size[two_groups[:, 1]]).sum())
    a, b = np.sort(rng.choice(tracks, (2, _SAMPLE_PAIRS)), axis=0)
    pair, number = np.sort(group[np.stack([a, b])], axis=0), len(size)
    linkable = (pair[0] != pair[1]) & ~np.isin(pair[0] * number + pair[1], two_groups[:, 0] * number + two_groups[:, 1])
    a, b = a[linkable], b[linkable]
    values, clarity = space.similarity(a, b), pair_clarity(space.clarity[a], space.clarity[b])
    pairs = len(tracks) * (len(tracks) - 1) // 2 - known - apart
    return with_known_pairs(fit_share(values, clarity, evidence), pairs, known)


def _clash(given: np.ndarray, group: np.ndarray, two_groups: np.ndarray) -> np.ndarray:
    """(n,) bool: tracks of two people who were both given one cluster; neither is then known to be of it."""
    of_group = np.full(int(group.max(initial=-1)) + 1, -1, np.int64)
    np.maximum.at(of_group, group, given)
    both = of_group[two_groups]
    clashing = np.zeros(len(of_group), bool)
    clashing[two_groups[(both[:, 0] == both[:, 1]) & (both[:, 0] >= 0)]] = True
    return clashing[group]
