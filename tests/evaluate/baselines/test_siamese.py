"""The Siamese network: loss, pairs by track, and training that pulls together and pushes apart."""

import numpy as np
import pytest
import torch

from vcn_ray.evaluate.baselines.siamese import (
    Schedule,
    contrastive_loss,
    refined,
    track_pairs,
    train,
    trained_cut,
)

_SHORT = Schedule(batch_pairs=32, epochs=40, max_steps=300)


def test_loss_by_hand():
    a, b = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.3, 0.4], [0.3, 0.4], [3.0, 0.0]])
    same, different = torch.ones(3), torch.zeros(3)
    assert contrastive_loss(a, b, same).item() == pytest.approx((0.25 + 0.25 + 9) / 3)
    assert contrastive_loss(a, b, different).item() == pytest.approx((0.25 + 0.25 + 0) / 3)


def test_equal_outputs_of_two_people_have_a_finite_gradient():
    x = torch.zeros(2, 2, requires_grad=True)
    contrastive_loss(x, x.detach(), torch.zeros(2)).backward()
    assert torch.isfinite(x.grad).all()


def test_an_epoch_is_a_pair_a_crop_up_to_the_limit():
    assert Schedule(32, 100).steps(64) == 200
    assert Schedule(32, 100).steps(65) == 300
    assert Schedule(32, 100, max_steps=150).steps(1000) == 150


def test_pairs_keep_to_the_matrices_and_reach_every_crop():
    track = np.array([0, 0, 0, 1, 2, 2, 3, 3])
    positive = np.eye(4, dtype=bool)
    negative = np.zeros((4, 4), dtype=bool)
    negative[0, 1] = negative[1, 0] = negative[2, 0] = True  # 3 has no stranger, 2 only one that has it not
    draw = track_pairs(track, positive, negative, batch_pairs=64)
    generator = torch.Generator().manual_seed(0)
    seen = []
    for _ in range(20):
        pairs = draw(torch.zeros(8, 3), generator)
        assert pairs.same.sum() == 32
        for a, b, same in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), strict=True):
            matrix = positive if same else negative
            assert matrix[track[a], track[b]]
            seen.append((a, b, same))
    assert {a for a, _, same in seen if same} == set(range(8))
    assert {b for _, b, same in seen if same} == set(range(8))
    assert {b for a, b, same in seen if not same and track[a] == 2} == {0, 1, 2}


def test_training_separates_what_it_is_told_to(make_title):
    faces, identity = make_title(people=2, tracks=6, noise=1.5)
    one = identity[:, None] == identity[None, :]
    draw = track_pairs(faces.track_of_crop, one, ~one, 32)
    features = torch.from_numpy(faces.embeddings / 10)  # so short that the margin is not passed from the start
    pairs = draw(features, torch.Generator().manual_seed(1))

    def loss(network):
        with torch.no_grad():
            return contrastive_loss(network(features[pairs.first]), network(features[pairs.second]), pairs.same).item()

    before, after = (loss(train(features.numpy(), pairs, _SHORT, 0)) for pairs in (None, draw))
    assert after < 0.7 * before


def test_training_hardly_moves_the_layer_that_is_clustered(make_title):
    """Why TSiam, SSiam and CCL cut as plain HAC does (docs/baselines.md)."""
    faces, identity = make_title(people=3, tracks=6, noise=1.5, dim=128)
    one = identity[:, None] == identity[None, :]
    draw = track_pairs(faces.track_of_crop, one, ~one, 32)
    start, trained = (train(faces.embeddings, pairs, _SHORT, 0) for pairs in (None, draw))
    probe = draw(torch.from_numpy(faces.embeddings), torch.Generator().manual_seed(1))
    rows = torch.from_numpy(faces.embeddings)
    with torch.no_grad():
        before, after = (
            contrastive_loss(n(rows[probe.first]), n(rows[probe.second]), probe.same) for n in (start, trained)
        )
        moved = (trained[0].weight - start[0].weight).norm() / start[0].weight.norm()
    assert after < 0.2 * before
    assert 0 < moved < 0.1


def test_seeds_decide_and_the_process_generator_is_left_alone(make_title):
    faces, identity = make_title(people=2, tracks=3)
    one = identity[:, None] == identity[None, :]
    draw = track_pairs(faces.track_of_crop, one, ~one, 32)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (refined(train(faces.embeddings, draw, _SHORT, s), faces.embeddings) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_without_pairs_the_tree_is_nearly_the_features_own(make_title):
    faces, identity = make_title()
    assert trained_cut(faces, None, _SHORT, 0)(threshold=0.6).tolist() == identity.tolist()
