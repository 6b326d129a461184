from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.adapt.cache import CachedViews, concat_views, embed_chunk, float32_convolutions, spread_crops
from vcn_ray.adapt.views import make_views
from vcn_ray.errors import OutputError


def _assert_equal(a: CachedViews, b: CachedViews) -> None:
    for field in fields(CachedViews):
        assert np.array_equal(getattr(a, field.name), getattr(b, field.name)), field.name


def test_holds_the_embeddings_of_the_crop_its_mirror_image_and_its_views(network, crops, keys, cached):
    pixels = torch.from_numpy(crops)
    with torch.no_grad():
        expected = {
            "plain": network(pixels.float()),
            "flipped": network(pixels.flip(3).float()),
        }
        view = network(make_views(pixels, keys, "local", 2, 0))
    for name, value in expected.items():
        assert np.allclose(getattr(cached, name), value.numpy(), atol=1e-5)
    assert np.allclose(cached.local_views[:, 2], view.numpy(), atol=1e-5)
    assert cached.global_views.shape == (12, 2, 16)
    assert cached.dropout.shape == (12, 3, 16)


def test_chunks_join_to_what_one_chunk_gives(network, crops, keys, options, cached):
    parts = [embed_chunk(network, crops[part], keys[part], options, 0) for part in (slice(0, 5), slice(5, 12))]
    joined = concat_views(parts)
    for field in fields(CachedViews):
        assert np.allclose(getattr(joined, field.name), getattr(cached, field.name), atol=1e-5)


def test_convolutions_are_float32_for_as_long_as_views_are_embedded():
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32
    with float32_convolutions():
        assert (cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32) == (True, True, False)
    assert (cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32) == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
def test_a_gpus_embeddings_are_a_cpus_but_for_the_last_bits(network, crops, keys, options, cached):
    ours = embed_chunk(network.cuda(), crops, keys, options, 0, device="cuda")
    for field in fields(CachedViews):
        assert np.allclose(getattr(ours, field.name), getattr(cached, field.name), rtol=1e-4, atol=1e-4), field.name


def test_survives_storage(cached):
    content = cached.to_bytes()
    _assert_equal(CachedViews.from_bytes(content), cached)
    assert CachedViews.from_bytes(content).to_bytes() == content


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: c.replace(b"plain", b"plane")])
def test_damaged_content_is_told_in_a_sentence(cached, damage):
    with pytest.raises(OutputError, match="cached views are damaged"):
        CachedViews.from_bytes(damage(cached.to_bytes()))


def test_dropout_passes_differ_and_average_to_the_plain_embedding(network, crops, keys, options):
    many = options.model_copy(update={"quality_passes": 400})
    cached = embed_chunk(network, crops[:2], keys[:2], many, 0)
    assert np.std(cached.dropout[:, :5], axis=1).min() > 0
    error = np.abs(cached.dropout.mean(axis=1) - cached.plain).max()
    assert error < 0.2 * np.abs(cached.plain).max()


def test_a_chunk_without_crops_is_refused(network, crops, keys, options):
    with pytest.raises(ValueError, match="no crop"):
        embed_chunk(network, crops[:0], keys[:0], options, 0)


@given(tracks=st.lists(st.integers(0, 6), max_size=60), limit=st.integers(2, 9))
def test_spread_keeps_short_tracks_whole_and_the_ends_of_long_ones(tracks, limit):
    track_of_crop = np.array(tracks, dtype=np.int64)
    chosen = spread_crops(track_of_crop, limit)
    assert np.array_equal(chosen, np.unique(chosen))
    for track in set(tracks):
        own = np.flatnonzero(track_of_crop == track)
        kept = [i for i in chosen if track_of_crop[i] == track]
        assert len(kept) == min(len(own), limit)
        assert (kept[0], kept[-1]) == (own[0], own[-1])
