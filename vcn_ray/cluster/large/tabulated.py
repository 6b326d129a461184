"""Evidence for few clusters at a time, often: its curves are looked up where `evidence` computes them."""

from __future__ import annotations

import numpy as np

from vcn_ray.cluster.evidence import Evidence, spread

#: Clarities at which the curves are known; the nearest one counts.
_STEPS = 4096


class TabulatedEvidence:
    """`Evidence.log_odds` at clarities between two, several times faster for a hundred values, to four digits."""

    def __init__(self, evidence: Evidence, lowest: float, highest: float):
        """Look up once what it says at all clarities between these."""
        nodes = np.linspace(lowest, highest, _STEPS)
        self._lowest, self._per_unit = lowest, (_STEPS - 1) / max(highest - lowest, 1e-9)
        std = np.broadcast_to(spread(nodes, evidence.calibration) * evidence.same_widening, nodes.shape)
        self._mean = np.broadcast_to(evidence.same_mean(nodes), nodes.shape).copy()
        self._precision, self._constant = 1 / std, np.log(evidence.stranger_std / std)
        self._stranger_mean, self._stranger_precision = evidence.stranger_mean, 1 / evidence.stranger_std
        # Beyond its turning point the ratio keeps the value there, as `Evidence.log_likelihood_ratio` says.
        difference = self._stranger_precision**2 - self._precision**2
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = (self._stranger_precision**2 * self._stranger_mean - self._precision**2 * self._mean) / difference
        alike = np.abs(difference) < 1e-9
        self._least = np.where(~alike & (difference > 0), turn, -np.inf)
        self._most = np.where(~alike & (difference <= 0), turn, np.inf)
        self._sizes = evidence.sizes_in_prior
        #: Of two tracks that might merge, before anything is known of them.
        self.prior_log_odds = -np.log(evidence.concentration) if self._sizes else evidence.prior_log_odds

    def log_odds(
        self, value: np.ndarray, clarity: np.ndarray, pairs: np.ndarray | float, larger: np.ndarray | float
    ) -> np.ndarray:
        """As `Evidence.log_odds`."""
        k = ((clarity - self._lowest) * self._per_unit + 0.5).astype(np.intp)
        x = np.minimum(np.maximum(value, self._least[k]), self._most[k])
        one, two = (x - self._mean[k]) * self._precision[k], (x - self._stranger_mean) * self._stranger_precision
        odds = np.sqrt(pairs) * (0.5 * (two * two - one * one) + self._constant[k]) + self.prior_log_odds
        return odds + np.log(larger) if self._sizes else odds
