"""The clusterers by the name that the option `merging` gives them."""

from __future__ import annotations

from vcn_ray.cluster.clusterer import Clusterer
from vcn_ray.cluster.clusterers.baseline import BaselineClusterer
from vcn_ray.cluster.clusterers.evidence_linkage import EvidenceClusterer
from vcn_ray.cluster.clusterers.literal import LiteralClusterer
from vcn_ray.errors import OptionError

#: A newcomer adds a line. What is stored of a title bears the name alone: a method that changes gets another one. The
#: settings of the field's methods are those of highest mean B-cubed F on three labelled seasons (*tiny*, *dinner* and
#: *campaign*; SFace's embeddings, seed 0), a start for footage like theirs; `python -m jobs.benchmarks quality`
#: finds others.
CLUSTERERS: dict[str, Clusterer] = {
    "evidence": EvidenceClusterer(),
    "literal": LiteralClusterer(),
    "literal means": LiteralClusterer("means"),
    "hac": BaselineClusterer("HAC at fixed threshold with cannot-link", {"threshold": 0.32}),
    "dbscan": BaselineClusterer("DBSCAN", {"max_distance": 0.52, "min_samples": 1}),
    "hdbscan": BaselineClusterer("HDBSCAN", {"min_samples": 3}),
    "finch": BaselineClusterer("FINCH", {"partition": 1}),
    "chinese whispers": BaselineClusterer("Chinese whispers", {"threshold": 0.46}),
    "tsiam": BaselineClusterer("TSiam", {"threshold": 0.3}),
    "ssiam": BaselineClusterer("SSiam", {"threshold": 0.3}),
    "ccl": BaselineClusterer("CCL", {"threshold": 0.3}),
    "jfrac": BaselineClusterer("JFRAC", {"threshold": 0.35}),
    "vctrsf": BaselineClusterer("VCTRSF", {"threshold": 0.125}),
}


def find_clusterer(name: str) -> Clusterer:
    """The clusterer of that name; raises `OptionError` that names all of them where there is none."""
    if name not in CLUSTERERS:
        raise OptionError(f"option 'merging': takes one of {', '.join(CLUSTERERS)}, not {name!r}")
    return CLUSTERERS[name]
