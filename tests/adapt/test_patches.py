"""Patch tokens in the loss: iBOT's masks and term, by the head that class tokens go through."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vcn_ray.adapt.finetune import Adaptation, resolve_depth
from vcn_ray.adapt.patches import PatchLoss
from vcn_ray.adapt.student_teacher import make_branches
from vcn_ray.adapt.workers import Workers
from vcn_ray.config import AdaptOptions, make_options
from vcn_ray.errors import ModelError, OptionError
from vcn_ray.models.face_id import Tokens

SIDE, DIM = 4, 16
_EACH_ITS_OWN = np.arange(3)


class ToyTransformer(nn.Module):
    """Sixteen patches of 12 x 12 pixels that attend to one another before a class token stands for all."""

    def __init__(self, embedded_by: Any = "neck") -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.patches, self.attention, self.neck = nn.Conv2d(3, 8, 12, 12), nn.Linear(8, 8), nn.Linear(8, DIM)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3, generator=generator)
        self.tokens = Tokens(0, SIDE, 12, embedded_by)
        self.eval()

    def _hidden(self, crops: Tensor) -> Tensor:
        tokens = self.patches(crops / 127.5 - 1).flatten(2).mT
        return tokens + (self.attention(tokens) @ tokens.mT).softmax(dim=-1) @ tokens

    def trunk(self, crops: Tensor) -> Tensor:
        return self._hidden(crops).mean(dim=1)

    def forward(self, crops: Tensor) -> Tensor:
        return self.neck(self.trunk(crops))

    def with_patches(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self._hidden(crops)
        return self.neck(hidden.mean(dim=1)), self.neck(hidden)


@pytest.fixture
def full(options: AdaptOptions) -> AdaptOptions:
    return options.model_copy(update={"depth": "full", "patch_loss": 1.0})


def _loss(options: AdaptOptions) -> PatchLoss:
    return PatchLoss(SIDE, 12, DIM, options, seed=0, device=torch.device("cpu"))


def _adaptation(crops: np.ndarray, keys: np.ndarray, tracks: np.ndarray, options: AdaptOptions) -> Adaptation:
    return Adaptation.on_network(ToyTransformer(), crops, keys, tracks, options, 0, "cpu", depth="full")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), st.integers(0, 2**31)), min_size=1, max_size=12))
def test_a_views_mask_depends_on_nothing_but_the_view(views: list[tuple[int, int]]) -> None:
    loss, (keys, draws) = _loss(AdaptOptions()), np.array(views).T
    together = loss.masks(keys, draws)
    alone = np.concatenate([loss.masks(keys[k : k + 1], draws[k : k + 1]) for k in range(len(keys))])
    assert np.array_equal(together, alone)
    assert np.isin(together.sum(axis=1), [0, *range(2, 9)]).all()  # of 16: none, or a tenth to a half of them


def test_half_of_the_views_are_masked() -> None:
    masked = _loss(AdaptOptions()).masks(np.arange(400), np.zeros(400, np.int64))
    assert 0.4 < masked.any(axis=1).mean() < 0.6
    assert 0.25 < masked[masked.any(axis=1)].mean() < 0.35


def test_masked_patches_and_no_others_are_painted_over(crops: np.ndarray) -> None:
    masks = torch.zeros(len(crops), SIDE * SIDE, dtype=torch.bool)
    masks[0, 5] = True  # second row, second column
    views = torch.from_numpy(crops).float()
    painted = _loss(AdaptOptions()).painted_over(views, masks)
    assert (painted[0, :, 12:24, 12:24] == 127.5).all()
    painted[0, :, 12:24, 12:24] = views[0, :, 12:24, 12:24]
    assert torch.equal(painted, views)


def test_what_patches_leave_over_of_the_picture_moves_none_of_them() -> None:
    """As insightface's transformers have it: 12 patches of 9 pixels on 112."""
    loss, masks = PatchLoss(12, 9, DIM, AdaptOptions(), 0, torch.device("cpu")), torch.zeros(1, 144, dtype=torch.bool)
    masks[0, 143] = True
    painted = loss.painted_over(torch.zeros(1, 3, 112, 112), masks)
    assert (painted[..., 99:108, 99:108] == 127.5).all()
    assert int((painted != 0).sum()) == 3 * 9 * 9


def test_the_term_is_ibots_by_the_head_of_the_class_token(full: AdaptOptions, crops: np.ndarray) -> None:
    base = torch.randn(12, DIM, generator=torch.Generator().manual_seed(3))
    student, teacher = make_branches(ToyTransformer(), base, full, 0, torch.device("cpu"))
    loss, wide = _loss(full), torch.from_numpy(crops).float()
    loss.centre = torch.randn(DIM, generator=torch.Generator().manual_seed(4))
    keys, draws = np.arange(12), np.zeros(12, np.int64)
    masks = loss.masks(keys, draws)
    targets, outputs, terms = loss.of_batch(student, teacher, wide, keys, draws)
    painted = loss.painted_over(wide, torch.from_numpy(masks))
    assert torch.equal(targets, teacher(wide))
    assert torch.equal(outputs, student(painted))

    expected, whole, hidden = 0.0, teacher.with_patches(wide)[1], student.with_patches(painted)[1]
    assert torch.allclose(hidden[3, 7], student.head(student.backbone.with_patches(painted)[1][3, 7][None])[0])
    for view in np.flatnonzero(masks.any(axis=1)):
        of_view = []
        for patch in np.flatnonzero(masks[view]):
            p = torch.softmax((whole[view, patch] - loss.centre) / full.teacher_temperature, dim=0)
            of_view.append(-(p @ torch.log_softmax(hidden[view, patch] / full.student_temperature, dim=0)).item())
        expected += np.mean(of_view)
    assert terms.loss.item() == pytest.approx(expected, rel=1e-4)
    assert int(terms.masked_views) == masks.any(axis=1).sum() > 0
    assert torch.allclose(terms.targets_sum, whole.sum(dim=(0, 1)), rtol=1e-4, atol=1e-4)


def test_training_draws_the_student_to_what_the_teacher_says_of_patches(full: AdaptOptions, crops: np.ndarray) -> None:
    base = torch.randn(12, DIM, generator=torch.Generator().manual_seed(3))
    student, teacher = make_branches(ToyTransformer(), base, full, 0, torch.device("cpu"))
    loss, wide, of_views = _loss(full), torch.from_numpy(crops).float(), (np.arange(12), np.zeros(12, np.int64))
    optimizer, losses = torch.optim.Adam(student.parameters(), lr=0.01), []
    for _ in range(20):
        terms = loss.of_batch(student, teacher, wide, *of_views)[2]
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
        losses.append(terms.loss.item())
    assert losses[-1] < losses[0]
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_the_option_is_what_it_takes_for_patches_to_count(
    full: AdaptOptions, crops: np.ndarray, keys: np.ndarray, track_of_crop: np.ndarray
) -> None:
    one_epoch = full.model_copy(update={"first_epochs": 1, "head_only_epochs": 0})
    with_patches = _adaptation(crops, keys, track_of_crop, one_epoch)
    without = _adaptation(crops, keys, track_of_crop, one_epoch.model_copy(update={"patch_loss": 0.0}))
    metrics, plain = with_patches.finetune(1, _EACH_ITS_OWN), without.finetune(1, _EACH_ITS_OWN)
    assert metrics.epochs[-1].mean_patch_loss > 0
    assert plain.epochs[-1].mean_patch_loss is None
    backbones = [adaptation._student.backbone.network for adaptation in (with_patches, without)]
    assert not torch.equal(*(backbone.attention.weight for backbone in backbones))


def test_an_interrupted_iteration_ends_as_an_uninterrupted_one_does(
    full: AdaptOptions, crops: np.ndarray, keys: np.ndarray, track_of_crop: np.ndarray
) -> None:
    whole, states = _adaptation(crops, keys, track_of_crop, full), []
    whole.finetune(1, _EACH_ITS_OWN, lambda _: states.append(whole.state_bytes()))
    resumed = _adaptation(crops, keys, track_of_crop, full)
    resumed.load_state_bytes(states[1])
    resumed.finetune(1, _EACH_ITS_OWN)
    assert resumed.state_bytes() == whole.state_bytes()


def test_workers_that_share_a_title_see_each_views_own_mask(
    full: AdaptOptions, crops: np.ndarray, keys: np.ndarray, track_of_crop: np.ndarray
) -> None:
    """One of two, whose sums are doubled as if the other had said the same, trains on half of the pairs."""
    half = Workers(0, 2, sum_in_place=lambda tensor: tensor.mul_(2))
    metrics = _adaptation(crops, keys, track_of_crop, full).finetune(1, _EACH_ITS_OWN, workers=half)
    assert all(np.isfinite(epoch.mean_patch_loss) for epoch in metrics.epochs)


@pytest.mark.parametrize(("embedded_by", "message"), [(None, "all tokens at once"), ("gone", "no vision transformer")])
def test_a_network_without_patch_tokens_for_the_head_is_refused(
    embedded_by: str | None,
    message: str,
    full: AdaptOptions,
    crops: np.ndarray,
    keys: np.ndarray,
    track_of_crop: np.ndarray,
) -> None:
    network = ToyTransformer(embedded_by)
    if embedded_by == "gone":
        del network.tokens
    with pytest.raises(ModelError, match=f"option 'patch_loss': .*{message}.*set it to 0"):
        Adaptation.on_network(network, crops, keys, track_of_crop, full, 0, "cpu", depth="full")


@pytest.mark.parametrize("depth", ["auto", "head", "tail"])
def test_stored_views_have_no_tokens_which_is_said_at_once(depth: str) -> None:
    with pytest.raises(OptionError, match=r"'patch_loss': takes 0 unless depth is full: .*without tokens"):
        make_options({"patch_loss": 1, "depth": depth})


def test_the_whole_network_on_a_gpu_is_no_promise_on_a_cpu() -> None:
    options = make_options({"patch_loss": "0.5", "depth": "full_on_gpu"}).adapt
    assert resolve_depth(options, "cuda") == "full"
    with pytest.raises(OptionError, match=r"'patch_loss': a CPU trains the head alone .* set depth to full"):
        resolve_depth(options, "cpu")
