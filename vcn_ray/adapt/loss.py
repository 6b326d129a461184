"""The self-supervised loss of a pair of crops, the centre of the teacher, and the signs of collapse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

#: Below this share of log(D), the entropy of the mean teacher output means that outputs fall on few pseudo-classes
#: (3 of 4.85 nats at D = 128).
COLLAPSE_SHARE = 0.62

#: Below this information, in nats, outputs are the same for everyone. Healthy outputs had 0.05 and more in our trials;
#: a small random head under a teacher that hardly moves had 0.003.
SILENT_NATS = 0.01


def teacher_probabilities(outputs: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """softmax((e_t - c) / temp) over the last axis (P 3.3)."""
    return F.softmax((outputs - centre) / temperature, dim=-1)


def teacher_log_probabilities(outputs: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """Logarithm of `teacher_probabilities`, also where these are too small for a float."""
    return F.log_softmax((outputs - centre) / temperature, dim=-1)


def student_log_probabilities(outputs: Tensor, temperature: float) -> Tensor:
    """Log softmax(e_s / temp) over the last axis; the paper's own form (P 3.3) has temp = 1."""
    return F.log_softmax(outputs / temperature, dim=-1)


def ssl_loss(probabilities: Tensor, log_probabilities: Tensor) -> Tensor:
    """L_ssl(t, s) = -softmax((e_t - c) / temp) . log softmax(e_s) (P 3.3), for (..., D) inputs -> (...)."""
    return -(probabilities * log_probabilities).sum(dim=-1)


def pair_loss(probabilities: Tensor, log_probabilities: Tensor) -> Tensor:
    """Loss of a pair: sum of L_ssl over its combinations of views (S 1.2).

    The teacher sees the global views, the student all of them; global-global and global-local combinations count, a
    view with itself does not.

    Args:
        probabilities: (b, g, D) the teacher's, of the g global views of b pairs.
        log_probabilities: (b, v, D) the student's, of all v views, the g global ones first in the same order.

    Returns:
        (b,) loss of each pair, a sum of `combinations(g, v)` terms.
    """
    terms = -torch.einsum("bgd,bvd->bgv", probabilities, log_probabilities)
    count = probabilities.shape[1]
    itself = torch.eye(count, log_probabilities.shape[1], dtype=torch.bool, device=terms.device)
    return terms.masked_fill(itself, 0.0).sum(dim=(1, 2))


def combinations(global_views: int, all_views: int) -> int:
    """Number of terms in `pair_loss`."""
    return global_views * (all_views - 1)


def updated_centre(centre: Tensor, outputs_sum: Tensor, count: int, momentum: float) -> Tensor:
    """Running mean of teacher outputs, c <- m c + (1 - m) mean(e_t) (P 3.3, as in iBOT), after a batch.

    `outputs_sum` is the (D,) sum of the batch's teacher outputs, `count` how many they are.
    """
    return momentum * centre + (1.0 - momentum) * outputs_sum / count


@dataclass(frozen=True)
class OutputStatistics:
    """How teacher and student spread over the D pseudo-classes, in nats; D outputs at most log(D)."""

    teacher_entropy: float  # mean H(p): near log(D) where the teacher says nothing, near 0 where it is certain
    mean_output_entropy: float  # H(mean p): near 0 when all crops fall on one pseudo-class
    kl_teacher_student: float  # mean KL(p || q)

    @property
    def information(self) -> float:
        """H(mean p) - mean H(p), nats: what an output tells about which crop it is of."""
        return self.mean_output_entropy - self.teacher_entropy

    @property
    def silent(self) -> bool:
        """Whether the outputs are near uniform, so that the loss between any two crops is the same."""
        return self.information < SILENT_NATS

    def collapsed(self, embedding_dim: int) -> bool:
        """Whether the outputs use too few pseudo-classes to tell people apart."""
        return self.mean_output_entropy < COLLAPSE_SHARE * math.log(embedding_dim)


def output_statistics(probabilities: Tensor, log_probabilities: Tensor) -> Tensor:
    """Sums over rows from which `summarise` makes statistics: (D + 2,): sum of p, sum of H(p), sum of cross entropies.

    Args:
        probabilities: (n, D) the teacher's.
        log_probabilities: (n, D) the student's, of the same views.
    """
    entropy = -torch.special.xlogy(probabilities, probabilities).sum()
    cross = ssl_loss(probabilities, log_probabilities).sum()
    return torch.cat([probabilities.sum(dim=0), entropy[None], cross[None]])


def summarise(sums: Tensor, rows: int) -> OutputStatistics:
    """Statistics over `rows` outputs from the sum of what `output_statistics` gave."""
    means = (sums.double() / rows).cpu()
    mean_output, entropy, cross = means[:-2], float(means[-2]), float(means[-1])
    return OutputStatistics(
        teacher_entropy=entropy,
        mean_output_entropy=float(-torch.special.xlogy(mean_output, mean_output).sum()),
        kl_teacher_student=cross - entropy,
    )
