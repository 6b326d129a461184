"""The default: average linkage cut by the title's evidence, see `cluster.evidence` and `cluster.linkage`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vcn_ray.cluster.character_confidence import character_confidence
from vcn_ray.cluster.clusterer import Clusters, TitleFaces
from vcn_ray.cluster.confidence import assignment_probability, log_odds_of_clusters
from vcn_ray.cluster.evidence import Evidence, separation, with_known_pairs
from vcn_ray.cluster.fusing import Fuse, Sights, fuse, hear
from vcn_ray.cluster.large.many_tracks import cluster_many
from vcn_ray.cluster.linkage import find_characters, link_by_evidence
from vcn_ray.cluster.similarity import directions_and_clarity, mean_directions

UNCLEAR = "unclear: at such clarity anybody looks like anybody, and it was put to no character"

#: A track is unclear if it is less clear than such a share of the title's median and its pairs say too little
#: (`EvidenceClusterer.least_separation`): in dark footage throughout, everybody would be.
_LEAST_CLARITY = 0.8


@dataclass(frozen=True)
class EvidenceClusterer:
    """Clusters the clear tracks by evidence, then attaches the others to a character where the evidence suffices.

    Unclear and low-quality tracks (profiles, blurs, backs of heads, things) so neither make characters of their own nor
    blur good ones; where they belong to nobody enough they stay Unknown. What people said holds: tracks of one
    group are one cluster from the start, and nothing merges two people. Each field is an ingredient; without
    it the method is what `python -m jobs.benchmarks quality` measures the ingredient's worth against.
    """

    clarity: bool = True  # what a similarity says depends on how clear the faces are
    shift: bool = True  # the title may move where one character's pairs lie
    sizes_in_prior: bool = True  # a track belongs to a large character sooner than to a small one
    number_in_prior: bool = True  # the number of characters found has a say in the prior
    cannot_links: bool = True  # tracks that are seen together are two characters
    least_separation: float = 1.0  # of one person's pairs from strangers, in their spreads; below, a track is unclear
    fuse: Fuse = fuse  # how base and adapted network are heard together

    def cluster(self, title: TitleFaces) -> Clusters:
        """Labels and confidence of all tracks, those included that were filtered out and then attached."""
        outputs, options = title.outputs, title.options
        n = len(title.kept)
        links = title.said
        direction, clarity = directions_and_clarity(outputs.base, outputs.track_of_crop, n)
        students = (*title.earlier, mean_directions(outputs.adapted, outputs.track_of_crop, n)) if title.adapted else ()
        sights = Sights(direction, clarity, students)
        kept = title.kept & ~self._unclear(clarity, title)
        seen_together = title.cannot_link if self.cannot_links else title.cannot_link[:0]
        heard_by = partial(hear, fuse=self.fuse, by_clarity=self.clarity, shift=self.shift)
        if not title.pairs_fit:
            clusters = cluster_many(
                title,
                sights,
                kept,
                links.two_groups(seen_together),
                heard_by,
                sizes_in_prior=self.sizes_in_prior,
                number_in_prior=self.number_in_prior,
            )
            return replace(clusters, left_out=UNCLEAR, speaking=kept | links.said)
        cannot_link = links.over_groups(seen_together)
        group, speaking = links.group, links.speaking(kept)
        one = group[:, None] == group[None]
        # Pairs of which a person said what they are do not place the curves: people speak where the method erred, so
        # these are no sample of the title's pairs. Those of one person count in the share all the same: without them
        # the rest would look like a title of strangers, and what was said would make it worse.
        pairs = np.triu(~cannot_link & kept[:, None] & kept[None], 1)
        linkable = pairs & ~one
        heard = heard_by(sights, linkable, int(kept.sum()), title.calibration)
        similarity, evidence = heard.similarity, heard.evidence
        evidence = replace(evidence, sizes_in_prior=self.sizes_in_prior)
        evidence = with_known_pairs(evidence, int(linkable.sum()), int((pairs & one).sum()))
        least = float(np.log(options.false_merge_cost))
        labels = np.full(n, -1, np.int64)
        part = np.ix_(speaking, speaking)
        of_speaking = (similarity[part], clarity[speaking], cannot_link[part], evidence, least, group[speaking])
        if self.number_in_prior:
            labels[speaking], evidence = find_characters(*of_speaking)
        else:
            labels[speaking] = link_by_evidence(*of_speaking)
        labels = links.spread(labels)
        if options.low_quality == "attach":
            rest = np.flatnonzero((labels < 0) & ~links.left_out)
            labels = _attach(rest, similarity, clarity, cannot_link, labels, evidence, least)
        found = labels >= 0
        labels[found] = np.unique(labels[found], return_inverse=True)[1]
        weighed = similarity, clarity, labels, cannot_link, evidence, group
        typical = None if title.calibration is None else title.calibration.typical_clarity
        characters = character_confidence(similarity, clarity, labels, evidence, typical)
        return Clusters(labels, assignment_probability(*weighed), UNCLEAR, kept | links.said, characters)

    def _unclear(self, clarity: np.ndarray, title: TitleFaces) -> np.ndarray:
        """(tracks,) bool: faces of which anybody could be anybody; none where nothing is known of the network."""
        if title.calibration is None or not title.kept.any():
            return np.zeros(len(clarity), bool)
        dim = clarity < _LEAST_CLARITY * np.median(clarity[title.kept])
        return dim & (separation(clarity, title.calibration) < self.least_separation)


def _attach(
    rest: np.ndarray,
    similarity: np.ndarray,
    clarity: np.ndarray,
    cannot_link: np.ndarray,
    labels: np.ndarray,
    evidence: Evidence,
    least_log_odds: float,
) -> np.ndarray:
    """Labels (n,) with some tracks that have none (-1) in the character they belong to, if the evidence suffices.

    Two of them that are two people cannot both be one character; neither is then known to be. rest: (r,) which tracks.
    """
    given = np.full(len(labels), -1, np.int64)
    if len(rest) and (labels >= 0).any():
        odds = log_odds_of_clusters(rest, similarity, clarity, labels, cannot_link, evidence)
        given[rest] = np.where(odds.max(axis=1) > least_log_odds, odds.argmax(axis=1), -1)
    clash = (cannot_link & (given[:, None] == given[None]) & (given >= 0)).any(axis=1)
    return np.where((labels < 0) & ~clash, given, labels)
