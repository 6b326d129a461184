"""VCTRSF: what the transformer sees, what it learns, and the whole method on a made-up title."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vcn_ray.evaluate.baselines import vctrsf
from vcn_ray.evaluate.baselines.vctrsf import VCTRSF, Size, centre_loss, new_transformer, track_outputs

SMALL = Size(heads=4, layers=2, hidden=32, output=16)


def _ragged(make_title, crops=(1, 2, 6)):
    """A title whose tracks have these numbers of crops."""
    faces, _ = make_title(people=len(crops), tracks=1, crops=max(crops))
    keep = np.concatenate([np.arange(max(crops)) < count for count in crops])
    return dataclasses.replace(faces, embeddings=faces.embeddings[keep], track_of_crop=faces.track_of_crop[keep])


def test_dimensions_are_those_of_the_supplement():
    network = new_transformer(128, 8, torch.Generator().manual_seed(0))
    assert len(network.layers.layers) == 4
    assert network.layers.layers[0].self_attn.num_heads == 16
    assert network.layers.layers[0].self_attn.embed_dim == 512
    assert network.head.out_features == 256


def test_loss_is_least_at_the_views_own_centre():
    centres = torch.eye(3)
    right, wrong = (centre_loss(centres[order], 5 * centres, torch.arange(3)) for order in ([0, 1, 2], [1, 2, 0]))
    assert right.item() == pytest.approx(-np.log(np.exp(2) / (np.exp(2) + 2)))
    assert wrong > right + 1


def test_whole_tracks_hold_each_face_once_in_its_place(make_title):
    faces = _ragged(make_title)
    x, position, absent = vctrsf._Clips(faces).whole(torch.arange(3))
    assert (~absent).sum(dim=1).tolist() == [1, 2, 6]
    directions = F.normalize(torch.from_numpy(faces.embeddings), dim=1)
    assert torch.allclose(F.normalize(x[~absent], dim=1), directions, atol=1e-6)
    assert position[~absent].tolist() == [0, 0, 1, 0, 1, 2, 3, 4, 5]


def test_views_are_distinct_faces_in_the_order_of_time(make_title):
    faces = _ragged(make_title)
    clips = vctrsf._Clips(faces)
    chosen = set()
    for seed in range(20):
        x, position, absent = clips.sample(torch.tensor([2, 0, 1]), torch.Generator().manual_seed(seed))
        assert (~absent).sum(dim=1).tolist() == [4, 1, 2]
        assert (position[0].diff() > 0).all()
        assert torch.equal(x[0], clips.x[3 + position[0]])
        assert torch.equal(x[1][~absent[1]], clips.x[:1])
        assert torch.equal(x[2][~absent[2]], clips.x[1:3])
        chosen.add(tuple(position[0].tolist()))
    assert len(chosen) > 5


def test_absent_faces_change_nothing(make_title):
    clips = vctrsf._Clips(_ragged(make_title))
    network = new_transformer(16, clips.longest, torch.Generator().manual_seed(0), SMALL)
    together = network(*clips.whole(torch.arange(3)))
    for track in range(3):
        assert torch.allclose(network(*clips.whole(torch.tensor([track])))[0], together[track], atol=1e-5)


def test_training_pulls_views_to_their_own_centres(make_title):
    faces, identity = make_title(people=3, tracks=4)
    before, after = (track_outputs(faces, 0, epochs, SMALL) for epochs in (0, 40))
    assert after.shape == (12, 16)
    strangers = identity[:, None] != identity
    assert (after @ after.T)[strangers].mean() < (before @ before.T)[strangers].mean() - 0.2


def test_finds_people_who_are_far_apart_the_same_way_each_time(make_title):
    faces, identity = make_title(people=3, tracks=5)
    state = torch.random.get_rng_state()
    cuts = [VCTRSF.prepare(faces, 0, epochs=10, size=SMALL) for _ in range(2)]
    assert torch.equal(state, torch.random.get_rng_state())  # no draw of the process's generator
    found = [[cut(**setting).tolist() for setting in VCTRSF.settings] for cut in cuts]
    assert identity.tolist() in found[0]
    assert found[0] == found[1]
    assert not np.allclose(track_outputs(faces, 0, 2, SMALL), track_outputs(faces, 1, 2, SMALL))


@pytest.mark.parametrize("tracks", [0, 1])
def test_few_tracks(tracks, make_title, first_tracks):
    faces, _ = make_title(people=1, tracks=1)
    few = first_tracks(faces, tracks)
    labels = VCTRSF.prepare(few, 0, epochs=10, size=SMALL)(**VCTRSF.settings[0])
    assert labels.dtype == np.int64
    assert labels.tolist() == [0] * tracks
