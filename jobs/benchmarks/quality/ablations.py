"""The default with one ingredient of its answer taken out, for ingredients that are no option."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np

from vcn_ray.cluster import evidence, fusing, linkage, title
from vcn_ray.cluster.evidence import Evidence
from vcn_ray.cluster.title import Clustering
from vcn_ray.pipeline import adaptation_loop as loop

_NO_CLARITY = ("stranger_mean_rise", "stranger_std_rise", "same_mean_slope", "same_std_slope")


def _same_for_all_clarity(stack: ExitStack) -> None:
    """Two tracks' similarity says the same, however clear their faces are."""
    fit = title.fit_evidence

    def flat(values, clarity, n_tracks, calibration, counts=None):
        return fit(values, clarity, n_tracks, _flat(calibration), counts)

    standardise = title.standardise
    stack.enter_context(patch.object(title, "fit_evidence", flat))
    stack.enter_context(patch.object(title, "standardise", lambda s, c, known: standardise(s, c, _flat(known))))


def _flat(calibration):
    return calibration.model_copy(update=dict.fromkeys(_NO_CLARITY, 0.0))


def _no_shift(stack: ExitStack) -> None:
    """One character's pairs stay where the calibration has them."""

    def share_alone(values, clarity, counts, n_tracks, start):
        return evidence.fit_share(values, clarity, start, counts)

    stack.enter_context(patch.object(evidence, "_maximise", share_alone))


def _no_size_prior(stack: ExitStack) -> None:
    """Every merge has the prior odds of two single tracks."""

    def log_odds(self, value, clarity, pairs, larger):
        return np.sqrt(pairs) * self.log_likelihood_ratio(value, clarity) + self.prior_log_odds

    stack.enter_context(patch.object(Evidence, "log_odds", log_odds))


def _no_concentration(stack: ExitStack) -> None:
    """The number of characters found has no say in the prior."""
    stack.enter_context(patch.object(linkage, "crp_concentration", lambda characters, tracks: 0.0))


def _characters_by_their_tracks(stack: ExitStack) -> None:
    """Strangers are placed by all of their pairs, so that a lead counts as often as it is seen."""
    stack.enter_context(patch.object(fusing, "expected_tracks", lambda same, linkable: np.ones(len(linkable))))


def _adapted_alone(stack: ExitStack) -> None:
    """The adapted network's similarity in place of the average with the base model's."""
    fuse = title.fuse

    def only_adapted(values, clarity, known, adapted, linkable):
        # Averaging a network with itself leaves it alone; the base model still says what its similarities are worth.
        same = known.probability(values[linkable], clarity[linkable])
        mean, std = fusing._weighted(adapted[linkable], 1 - same)
        own = known.stranger_mean + known.stranger_std * (adapted - mean) / max(std, 1e-6)
        return fuse(np.where(linkable | linkable.T, own, values), clarity, known, adapted, linkable)

    stack.enter_context(patch.object(title, "fuse", only_adapted))


def _last_iteration(stack: ExitStack) -> None:
    """The last iteration's clustering is the answer."""
    stack.enter_context(patch.object(loop, "most_confident_iteration", lambda history: len(history) - 1))


def _unclear_characters(stack: ExitStack) -> None:
    """A lone track is a character, however unclear."""
    stack.enter_context(patch.object(title, "_LEAST_SEPARATION", -np.inf))


def _no_cannot_link(stack: ExitStack) -> None:
    """Tracks seen together may be one character."""
    cluster = title.cluster_title

    def free(outputs, n_tracks, cannot_link, *rest, **named):
        return cluster(outputs, n_tracks, np.zeros_like(cannot_link), *rest, **named)

    from vcn_ray.pipeline import iteration as iterations

    stack.enter_context(patch.object(iterations, "cluster_title", free))


def _pairs_within_tracks(stack: ExitStack) -> None:
    """Every iteration trains on pairs of one track's crops; clusters give none."""

    def groups(clustering: Clustering, number: int) -> np.ndarray:
        return np.where(clustering.kept, np.arange(len(clustering.labels)), -1)

    stack.enter_context(patch.object(loop, "_groups", groups))


#: By the method's name.
ABLATIONS: Mapping[str, Callable[[ExitStack], None]] = {
    "without clarity": _same_for_all_clarity,
    "without the title's shift": _no_shift,
    "without sizes in the prior": _no_size_prior,
    "without the number found in the prior": _no_concentration,
    "without counting characters once": _characters_by_their_tracks,
    "without the base model's say": _adapted_alone,
    "without choosing the iteration": _last_iteration,
    "without the rule for unclear tracks": _unclear_characters,
    "without cannot-links": _no_cannot_link,
    "without pairs across tracks": _pairs_within_tracks,
}


@contextmanager
def ablated(name: str) -> Iterator[None]:
    """Within it this process works without the ingredient that the name says; any other name changes nothing."""
    with ExitStack() as stack:
        if name in ABLATIONS:
            ABLATIONS[name](stack)
        yield
