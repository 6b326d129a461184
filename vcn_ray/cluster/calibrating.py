"""Fits a face-ID network's calibration to labelled seasons: where cosines of pairs of tracks lie, by clarity.

The curves are those of `evidence`, two Gaussians whose place and spread depend on how clearly the faces are seen. Each
is fitted by maximum likelihood to pairs of tracks of known people. A season with a thousand tracks has a million pairs
and says hardly more of other footage than one with a hundred, so every season weighs the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import one_person, strangers
from vcn_ray.errors import InputError

#: Fewer pairs of one kind than this, and the season says nothing of that kind.
LEAST_PAIRS = 20

#: From so many pairs on, a season's pairs of one kind weigh 1 in all; fewer weigh proportionally less.
_FULL_WEIGHT_PAIRS = 200

#: Pairs whose clarity is the same to this share of the typical one are counted together.
_CLARITY_STEP = 1e-3

#: No spread of cosines is fitted below this: equal values would have none.
_LEAST_STD = 1e-3

#: Share of pairs below the lowest clarity of the curves, and above the highest.
_BEYOND = 0.005

_STEPS = 1000

_Curve = Callable[[np.ndarray, Calibration], tuple[np.ndarray, np.ndarray]]
_Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs of a season's tracks, both of people who are known; all arrays (pairs,)."""

    cosine: np.ndarray  # of the tracks' mean embeddings
    clarity: np.ndarray  # as `evidence.pair_clarity` gives it
    same: np.ndarray  # bool: one person


@dataclass(frozen=True)
class ClarityBin:
    """What was measured of pairs of one kind in a range of clarity, against the fitted curve at their mean clarity."""

    same: bool  # pairs of one person, else of strangers
    lowest: float  # clarity, of the typical one; inclusive
    highest: float  # exclusive
    pairs: int
    mean: float  # of cosines, each pair weighing as in the fit
    std: float
    curve_mean: float
    curve_std: float


@dataclass(frozen=True)
class _Kind:
    """One of the two groups of pairs: its curve, its parameters in `Calibration`, and how they are bounded."""

    same: bool
    curve: _Curve
    name: str
    names: tuple[str, str, str, str]  # mean, std, what changes either with clarity
    changes: tuple[_Range, _Range]  # what changes mean and std may be: pairs seen less clearly never say more


_KINDS = (
    _Kind(
        True,
        one_person,
        "one person",
        ("same_mean", "same_std", "same_mean_slope", "same_std_slope"),
        ((0.0, None), (None, 0.0)),
    ),
    _Kind(
        False,
        strangers,
        "strangers",
        ("stranger_mean", "stranger_std", "stranger_mean_rise", "stranger_std_rise"),
        ((0.0, None), (0.0, None)),
    ),
)


def fit_calibration(seasons: Sequence[LabelledPairs], typical_clarity: float | None = None) -> Calibration:
    """The calibration under which the seasons' pairs are most likely, rounded to four decimals.

    A season's pairs of one person weigh 1 in all, and so do its pairs of strangers (less where there are few); of less
    than `LEAST_PAIRS` it says nothing. The curves end where clarity does: beyond what 99 % of pairs have, they stay
    level, since a slope read off few pairs would lead far away there.

    Args:
        seasons: labelled pairs, one entry per season or copy of one.
        typical_clarity: what clarity is relative to; None: the median, to two digits.

    Raises `InputError` where no season has enough pairs of one person, or of strangers.
    """
    weighted = [_weigh(seasons, kind) for kind in _KINDS]
    _, clarity, weight = (np.concatenate(values) for values in zip(*weighted, strict=True))
    order = np.argsort(clarity, kind="stable")
    reached = np.searchsorted(np.cumsum(weight[order]) / weight.sum(), [_BEYOND, 0.5, 1 - _BEYOND])
    lowest, median, highest = clarity[order][reached].tolist()
    typical = typical_clarity or float(f"{median:.2g}")
    ends = {"lowest_clarity": lowest / typical, "highest_clarity": highest / typical}
    calibration = Calibration(typical_clarity=typical).model_copy(update=ends)
    for kind, pairs in zip(_KINDS, weighted, strict=True):
        calibration = _fit(kind, *pairs, calibration)
    return Calibration.model_validate({name: round(value, 4) for name, value in calibration.model_dump().items()})


def bins_of_clarity(
    seasons: Sequence[LabelledPairs], calibration: Calibration, width: float = 0.1
) -> tuple[ClarityBin, ...]:
    """How well a calibration fits the seasons' pairs, by kind and clarity; bins of less than `LEAST_PAIRS` left out.

    width: of a bin, in typical clarities. Raises `InputError` as `fit_calibration` does.
    """
    found = []
    for kind in _KINDS:
        cosine, clarity, weight = _weigh(seasons, kind)
        number = np.floor(clarity / calibration.typical_clarity / width + 1e-9).astype(np.int64)
        for n in np.unique(number).tolist():
            own = number == n
            if own.sum() < LEAST_PAIRS:
                continue
            share = weight[own] / weight[own].sum()
            mean = float(share @ cosine[own])
            std = float(np.sqrt(share @ (cosine[own] - mean) ** 2))
            curve_mean, curve_std = kind.curve(np.array(share @ clarity[own]), calibration)
            edges = n * width, (n + 1) * width
            found.append(ClarityBin(kind.same, *edges, int(own.sum()), mean, std, float(curve_mean), float(curve_std)))
    return tuple(found)


def _weigh(seasons: Sequence[LabelledPairs], kind: _Kind) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosine, clarity and weight of all pairs of a kind that count."""
    parts = []
    for season in seasons:
        own = season.same == kind.same
        count = int(own.sum())
        if count >= LEAST_PAIRS:
            weight = np.full(count, min(1.0, count / _FULL_WEIGHT_PAIRS) / count)
            parts.append((season.cosine[own], season.clarity[own], weight))
    if not parts:
        most = max((int((season.same == kind.same).sum()) for season in seasons), default=0)
        raise InputError(
            f"a calibration needs a labelled season with {LEAST_PAIRS} pairs of tracks of {kind.name}, and here none "
            f"has more than {most}; give seasons with more tracks"
        )
    cosine, clarity, weight = (np.concatenate(values).astype(np.float64) for values in zip(*parts, strict=True))
    return cosine, clarity, weight


def _fit(
    kind: _Kind, cosine: np.ndarray, clarity: np.ndarray, weight: np.ndarray, calibration: Calibration
) -> Calibration:
    """The calibration with one kind's curve fitted, from a start at which clarity changes nothing."""
    # Of a Gaussian, count, mean and spread of values say everything; so a million pairs are a few hundred clarities.
    step = _CLARITY_STEP * calibration.typical_clarity
    _, group = np.unique(np.round(clarity / step), return_inverse=True)
    total = np.bincount(group, weight)
    x, mean = (np.bincount(group, weight * values) / total for values in (clarity, cosine))
    variance = np.bincount(group, weight * (cosine - mean[group]) ** 2) / total
    w = total / total.sum()

    def place(parameters: np.ndarray) -> Calibration:
        values = dict(zip(kind.names, map(float, parameters), strict=True))
        return calibration.model_copy(update={**values, kind.names[1]: float(np.exp(parameters[1]))})

    def negative_log_likelihood(parameters: np.ndarray) -> float:
        at, std = kind.curve(x, place(parameters))
        return float(w @ (0.5 * (variance + (mean - at) ** 2) / std**2 + np.log(std)))

    centre = float(w @ mean)
    std = max(float(np.sqrt(w @ (variance + (mean - centre) ** 2))), _LEAST_STD)
    bounds = [(None, None), (np.log(_LEAST_STD), None), *kind.changes]
    start = np.array([centre, np.log(std), 0.0, 0.0])
    options = {"maxiter": _STEPS, "ftol": 1e-12, "gtol": 1e-8}
    return place(minimize(negative_log_likelihood, start, method="L-BFGS-B", bounds=bounds, options=options).x)
