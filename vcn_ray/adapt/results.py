"""What adaptation tells of itself: metrics of its training and the outputs that clustering takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcn_ray.adapt.loss import OutputStatistics


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch of training."""

    iteration: int  # from 1
    epoch: int  # from 0
    mean_loss: float  # nats: L_ssl over pairs and combinations of views
    statistics: OutputStatistics
    mean_patch_loss: float | None = None  # nats: over views of which patches are masked; None: no patch loss


@dataclass(frozen=True)
class IterationMetrics:
    """One iteration of training, described by its last epoch."""

    iteration: int
    epochs: tuple[EpochMetrics, ...]  # those that this call ran; fewer than the iteration's after resuming
    collapsed: bool  # outputs fall on too few pseudo-classes to tell people apart

    @property
    def warning(self) -> str | None:
        """What is wrong with the outputs and what to do about it; None where they are healthy."""
        statistics = self.statistics
        if self.collapsed:
            return (
                f"outputs collapse onto few classes (entropy of their mean {statistics.mean_output_entropy:.2f} nats); "
                "raise teacher_temperature and student_temperature"
            )
        if statistics.silent:
            return (
                f"outputs hardly differ from crop to crop ({statistics.information:.4f} nats); "
                "lower teacher_temperature and student_temperature, or teacher_momentum"
            )
        return None

    @property
    def mean_loss(self) -> float:
        """Mean L_ssl in the last epoch, nats."""
        return self.epochs[-1].mean_loss

    @property
    def statistics(self) -> OutputStatistics:
        """Entropies in the last epoch."""
        return self.epochs[-1].statistics


@dataclass(frozen=True)
class Outputs:
    """What a branch says of the n crops, float32; (n, D) or, where there are k views of each, (n, k, D)."""

    embeddings: np.ndarray  # e, unnormalised (S 1.1)
    target_log_probabilities: np.ndarray  # log softmax((e - c) / teacher temperature)
    log_probabilities: np.ndarray  # log softmax(e / student temperature)

    @property
    def probabilities(self) -> np.ndarray:
        """softmax((e - c) / teacher temperature): a teacher's targets."""
        return np.exp(self.target_log_probabilities)
