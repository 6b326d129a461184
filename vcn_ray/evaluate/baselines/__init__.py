"""The field's methods, on the same tracks and face-ID model: what a result is held against."""

from __future__ import annotations

from vcn_ray.evaluate.baselines.ccl import CCL
from vcn_ray.evaluate.baselines.chinese_whispers import CHINESE_WHISPERS
from vcn_ray.evaluate.baselines.density import DBSCAN, HDBSCAN
from vcn_ray.evaluate.baselines.first_neighbours import FINCH
from vcn_ray.evaluate.baselines.hac import at_fixed_threshold, at_networks_threshold
from vcn_ray.evaluate.baselines.jfrac import JFRAC
from vcn_ray.evaluate.baselines.problem import Baseline
from vcn_ray.evaluate.baselines.tsiam_ssiam import SSIAM, TSIAM
from vcn_ray.evaluate.baselines.vctrsf import VCTRSF


def baselines(recognition_threshold: float | None) -> list[Baseline]:
    """All methods that need not know the title's identities, simplest first.

    Args:
        recognition_threshold: cosine from which on the face-ID network's makers call two faces one person (-1..1), as
            a face pack has it; None: without the methods that cut there.
    """
    constraints = (False, True)
    known = () if recognition_threshold is None else (recognition_threshold,)
    return [
        *(at_networks_threshold(threshold, cannot_link=links) for threshold in known for links in constraints),
        *(at_fixed_threshold(cannot_link=links) for links in constraints),
        DBSCAN,
        HDBSCAN,
        FINCH,
        CHINESE_WHISPERS,
        TSIAM,
        SSIAM,
        CCL,
        JFRAC,
        VCTRSF,
    ]


def find_baseline(name: str) -> Baseline:
    """The method of that name, of those that cut at no threshold of the network's makers; else a `KeyError`."""
    return {baseline.name: baseline for baseline in baselines(None)}[name]
