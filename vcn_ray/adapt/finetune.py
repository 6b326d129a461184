"""Adaptation of the face-ID network to one title: iterations of finetuning, and the outputs that clustering takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from vcn_ray.adapt import state
from vcn_ray.adapt.cache import CachedViews, Embedder
from vcn_ray.adapt.head import ResidualHead
from vcn_ray.adapt.inputs import (
    GLOBAL_PER_PAIR,
    LOCAL_PER_PAIR,
    EmbeddingInputs,
    FeatureInputs,
    Inputs,
    NeckBackbone,
    NetworkBackbone,
    PixelInputs,
    Which,
    batches,
)
from vcn_ray.adapt.loss import (
    combinations,
    output_statistics,
    pair_loss,
    student_log_probabilities,
    summarise,
    teacher_log_probabilities,
    teacher_probabilities,
    updated_centre,
)
from vcn_ray.adapt.pairs import characters_once, draw_epoch
from vcn_ray.adapt.patches import PatchLoss
from vcn_ray.adapt.results import EpochMetrics, IterationMetrics, Outputs
from vcn_ray.adapt.schedule import epochs_in_iteration, lr_share, trains_network
from vcn_ray.adapt.student_teacher import Branch, follow, make_branches, make_optimizer
from vcn_ray.adapt.workers import ALONE, Workers
from vcn_ray.config import AdaptOptions

Depth = Literal["head", "tail", "full"]

_log = logging.getLogger(__name__)


def resolve_depth(options: AdaptOptions, device: torch.device | str) -> Depth:
    """What is trained on this device: 'auto' is the head, 'full_on_gpu' the whole network on a GPU, else the head.

    Raises `OptionError` where patch tokens are to be trained and that would be the head alone.
    """
    options.check_device(str(device))
    if options.depth == "full_on_gpu":
        return "full" if torch.device(device).type == "cuda" else "head"
    return "head" if options.depth == "auto" else options.depth


class Adaptation:
    """Student, teacher, centre and optimiser of one title, and the crops that they are trained on.

    Make one with `on_cache` (depth 'head') or `on_network` ('tail' and 'full'). The student is what clustering uses;
    the teacher gives the targets of training only (S Alg. 1). All is determined by the inputs, the options and the
    seed, on one kind of device with one number of threads.
    """

    def __init__(
        self,
        inputs: Inputs,
        backbone: nn.Module,
        base_embeddings: Tensor,
        track_of_crop: np.ndarray,
        options: AdaptOptions,
        seed: int,
        device: torch.device,
        patch_loss: PatchLoss | None = None,
    ):
        """Prefer `on_cache` and `on_network`; (n,) `track_of_crop` numbers the tracks from 0.

        A `patch_loss` needs inputs and a backbone of pixels.
        """
        if len(track_of_crop) != len(inputs):
            raise ValueError(f"{len(track_of_crop)} track numbers for {len(inputs)} crops")
        self._inputs = inputs
        self._track_of_crop = np.asarray(track_of_crop, dtype=np.int64)
        self._options, self._seed, self._device = options, seed, device
        self._student, self._teacher = make_branches(backbone, base_embeddings, options, seed, device)
        self._base_embeddings = base_embeddings.to(device)
        self._optimizer = make_optimizer(self._student, options)
        self._centre = torch.zeros(base_embeddings.shape[1], device=device)
        self._patch_loss = patch_loss
        self.iteration = 0  # the last one begun
        self.epochs_done = 0  # in that iteration

    @classmethod
    def on_cache(
        cls,
        cached: CachedViews,
        track_of_crop: np.ndarray,
        options: AdaptOptions,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> Adaptation:
        """Train a head on cached views."""
        place = torch.device(device)
        inputs, base = EmbeddingInputs(cached, place), torch.from_numpy(cached.plain)
        return cls(inputs, nn.Identity(), base, track_of_crop, options, seed, place)

    @classmethod
    def on_network(
        cls,
        network: nn.Module,
        crops: np.ndarray,
        keys: np.ndarray,
        track_of_crop: np.ndarray,
        options: AdaptOptions,
        seed: int,
        device: torch.device | str,
        *,
        depth: Literal["tail", "full"],
        bfloat16: bool | None = None,
    ) -> Adaptation:
        """Train the last linear layer ('tail') or the whole network ('full') together with a head.

        Args:
            network: the base model, see `cache.Embedder`; it is moved to the device.
            crops: (n, 3, h, w) uint8 RGB.
            keys: (n,) int64 number of each crop, unique in the title.
            track_of_crop: (n,) int64 number of each crop's track, from 0.
            options: see `config.AdaptOptions`.
            seed: seed of the run.
            device: where to train.
            depth: what to train.
            bfloat16: compute the network in bfloat16; default: on a GPU. The head and the loss stay in float32.

        Raises:
            ModelError: patch tokens are to be trained, and the network has none that the head can take.
        """
        place = torch.device(device)
        # cuDNN's fastest convolutions add up in an order of their own each time.
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        half = place.type == "cuda" if bfloat16 is None else bfloat16
        network.eval().to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
        base = NetworkBackbone(cast(Embedder, network), place, half)
        pixels = PixelInputs(crops, keys, options, seed, place)
        with torch.no_grad():
            plain = torch.cat([base(pixels.views("plain", crops)[:, 0]) for crops in batches(len(pixels))])
        if depth == "full":
            dim = plain.shape[1]
            patch_loss = PatchLoss.of_network(network, dim, options, seed, place) if options.patch_loss else None
            return cls(pixels, base, plain, track_of_crop, options, seed, place, patch_loss)
        inputs = FeatureInputs(base, pixels, options, seed)
        return cls(inputs, NeckBackbone(network.neck), plain, track_of_crop, options, seed, place)  # type: ignore[arg-type]

    def finetune(
        self,
        iteration: int,
        group_of_track: np.ndarray,
        on_epoch: Callable[[EpochMetrics], None] | None = None,
        workers: Workers = ALONE,
        character_of_track: np.ndarray | None = None,
    ) -> IterationMetrics:
        """Run an iteration, or what is left of it after `load_state_bytes`.

        Args:
            iteration: from 1; the one after the last, or one that was begun and not finished.
            group_of_track: (t,) int64; tracks of one number are taken for one person, -1 keeps a track out.
            on_epoch: called after each epoch, when the state may be saved.
            workers: the processes that train this title together.
            character_of_track: (t,) int64, by the clustering before; tracks of -1 are of none.
                With `balance_characters` all characters count the same in training, and in the mean that the
                head takes off; None: all crops count the same.

        Raises:
            ValueError: the iteration is out of turn, or no track is left to train on.
        """
        epochs = epochs_in_iteration(iteration, self._options)
        groups = np.asarray(group_of_track, dtype=np.int64)[self._track_of_crop]
        weight = None
        if self._options.balance_characters and character_of_track is not None and (groups >= 0).any():
            trained = groups >= 0
            weight = np.zeros(len(groups))
            weight[trained] = characters_once(character_of_track[self._track_of_crop[trained]])
        self._begin(iteration, epochs, weight)
        done = []
        while self.epochs_done < epochs:
            done.append(self._train_epoch(iteration, self.epochs_done, epochs, groups, weight, workers))
            self.epochs_done += 1
            if on_epoch is not None:
                on_epoch(done[-1])
        metrics = IterationMetrics(iteration, tuple(done), done[-1].statistics.collapsed(len(self._centre)))
        if metrics.warning is not None:
            _log.warning("iteration %d: %s", iteration, metrics.warning)
        return metrics

    def _begin(self, iteration: int, epochs: int, weight: np.ndarray | None) -> None:
        before = epochs_in_iteration(self.iteration, self._options) if self.iteration else 0
        if iteration == self.iteration + 1 and self.epochs_done == before:
            if iteration == 1 and weight is not None:
                for head in (self._student.head, self._teacher.head):
                    if isinstance(head, ResidualHead):
                        head.centre(self._base_embeddings, torch.from_numpy(weight).float().to(self._device))
            self.iteration, self.epochs_done = iteration, 0
        elif iteration != self.iteration or self.epochs_done >= epochs:
            raise ValueError(f"iteration {iteration} is out of turn after epoch {self.epochs_done} of {self.iteration}")

    def _train_epoch(
        self,
        iteration: int,
        epoch: int,
        epochs: int,
        groups: np.ndarray,
        weight: np.ndarray | None,
        workers: Workers,
    ) -> EpochMetrics:
        options = self._options
        batches_at_least = options.min_batches_per_epoch
        pairs = draw_epoch(groups, options.batch_pairs, batches_at_least, self._seed, iteration, epoch, weight)
        self._inputs.begin_epoch(pairs)
        self._student.backbone.requires_grad_(trains_network(iteration, epoch, options))
        steps = len(pairs) // options.batch_pairs
        dim = len(self._centre)
        # Sums stay on the device until the epoch ends: reading one number a step would stall a GPU.
        sums = torch.zeros(dim + 5, device=self._device)
        for step in range(steps):
            share = lr_share(epoch * steps + step, steps, epochs, options.warmup_epochs)
            for group in self._optimizer.param_groups:
                group["lr"] = share * group["peak_lr"]
            first = step * options.batch_pairs
            sums += self._step(slice(first + workers.rank, first + options.batch_pairs, workers.count), workers)
        workers.sum_in_place(sums)
        follow(self._teacher, self._student, options.teacher_momentum)
        terms = len(pairs) * combinations(GLOBAL_PER_PAIR, GLOBAL_PER_PAIR + LOCAL_PER_PAIR)
        of_patches = None if self._patch_loss is None else float(sums[1] / sums[2].clamp(min=1))
        statistics = summarise(sums[3:], len(pairs) * GLOBAL_PER_PAIR)
        return EpochMetrics(iteration, epoch, float(sums[0]) / terms, statistics, of_patches)

    def _step(self, rows: slice, workers: Workers) -> Tensor:
        """Train on some pairs; (D + 5,) sums: of the loss, of the patches' loss and how many views have a part in it,
        and `output_statistics` of the global views."""
        options, count, patches = self._options, self._options.batch_pairs, None
        wide, narrow = self._inputs.batch(rows)
        if self._patch_loss is None:
            with torch.no_grad():
                targets = self._teacher(wide)
            outputs = self._student(torch.cat([wide, narrow]))
        else:
            views = cast(PixelInputs, self._inputs).wide_views(rows)
            targets, masked, patches = self._patch_loss.of_batch(self._student, self._teacher, wide, *views)
            outputs = torch.cat([masked, self._student(narrow)])
        by_pair = torch.cat(
            [
                outputs[: len(wide)].unflatten(0, (-1, GLOBAL_PER_PAIR)),
                outputs[len(wide) :].unflatten(0, (-1, LOCAL_PER_PAIR)),
            ],
            dim=1,
        )
        p = teacher_probabilities(targets, self._centre, options.teacher_temperature)
        log_q = student_log_probabilities(by_pair, options.student_temperature)
        loss = pair_loss(p.unflatten(0, (-1, GLOBAL_PER_PAIR)), log_q).sum()
        self._optimizer.zero_grad(set_to_none=True)
        total = loss
        if patches is not None:  # a mean over views beside a mean over combinations, as in iBOT
            terms = combinations(GLOBAL_PER_PAIR, GLOBAL_PER_PAIR + LOCAL_PER_PAIR)
            total = loss + options.patch_loss * terms / GLOBAL_PER_PAIR * patches.loss
        (total / count).backward()
        trained = [parameter for parameter in self._student.parameters() if parameter.grad is not None]
        target_sum = targets.sum(dim=0)
        centred = [target_sum] if patches is None else [target_sum, patches.targets_sum]
        workers.sum_all([*(cast(Tensor, parameter.grad) for parameter in trained), *centred])
        nn.utils.clip_grad_norm_(trained, options.max_gradient_norm)
        self._optimizer.step()
        self._centre = updated_centre(self._centre, target_sum, count * GLOBAL_PER_PAIR, options.centre_momentum)
        statistics = output_statistics(p, log_q[:, :GLOBAL_PER_PAIR].flatten(0, 1).detach())
        of_patches = torch.zeros(2, device=self._device)
        if self._patch_loss is not None and patches is not None:
            self._patch_loss.follow(patches.targets_sum, count * GLOBAL_PER_PAIR)
            of_patches = torch.stack([patches.loss.detach(), patches.masked_views])
        return torch.cat([loss.detach()[None], of_patches, statistics])

    @torch.no_grad()
    def embed(
        self, which: Which | Literal["dropout"] = "plain", branch: Literal["student", "teacher"] = "student"
    ) -> Outputs:
        """Outputs for all crops, in their order.

        (n, D) for 'plain' and 'flipped'; (n, k, D) for 'global' and 'local' (the cached views) and for 'dropout' (the
        passes that quality is told from). Clustering uses the student for both sides of the loss (S Alg. 1).
        """
        model: Branch = self._student if branch == "student" else self._teacher
        parts = []
        for crops in batches(len(self._inputs)):
            if which == "dropout":
                embeddings = self._inputs.dropout_embeddings(model.backbone, crops)
                parts.append(model.head(embeddings.flatten(0, 1)).unflatten(0, embeddings.shape[:2]))
            else:
                views = self._inputs.views(which, crops)
                parts.append(model(views.flatten(0, 1)).unflatten(0, views.shape[:2]))
        outputs = torch.cat(parts)
        if which in ("plain", "flipped"):
            outputs = outputs[:, 0]
        return Outputs(
            embeddings=outputs.cpu().numpy(),
            target_log_probabilities=teacher_log_probabilities(outputs, self._centre, self._options.teacher_temperature)
            .cpu()
            .numpy(),
            log_probabilities=student_log_probabilities(outputs, self._options.student_temperature).cpu().numpy(),
        )

    def state_bytes(self) -> bytes:
        """All that training has changed, as safetensors: student, teacher, centres, optimiser and counters."""
        return state.to_bytes(
            self._student, self._teacher, self._centres(), self._optimizer, (self.iteration, self.epochs_done)
        )

    def _centres(self) -> Tensor:
        """The (D,) centre, or (2, D): that and the patch tokens'."""
        return self._centre if self._patch_loss is None else torch.stack([self._centre, self._patch_loss.centre])

    def load_state_bytes(self, content: bytes) -> None:
        """Go on from what `state_bytes` gave under the same options; `OutputError` for anything else.

        What follows is bit for bit what would have followed without the interruption, on the same kind of machine.
        """
        centres, (self.iteration, self.epochs_done) = state.from_bytes(
            content, self._student, self._teacher, self._centres(), self._optimizer
        )
        if self._patch_loss is None:
            self._centre = centres
        else:
            self._centre, self._patch_loss.centre = centres
