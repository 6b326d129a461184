"""Crops of a title whose views were not stored are embedded as they would have been; what is gone is said."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.correctable_season import ODD, write_correctable_season
from torch import Tensor

from vcn_ray.adapt.cache import embed_chunk
from vcn_ray.adapt.finetune import Adaptation
from vcn_ray.cluster.similarity import unit
from vcn_ray.config import Options
from vcn_ray.errors import InputError
from vcn_ray.inputs.titles import slug
from vcn_ray.models.loading import FaceModels
from vcn_ray.pipeline.split_tables import crop_tracks
from vcn_ray.pipeline.title_crops import choose_crops, load_pixels
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.plots.crop_embeddings import embed_crops
from vcn_ray.storage.store import Store


class _Network:
    """Mean colours of 4 x 4 fields, and a matrix."""

    def __init__(self) -> None:
        self._matrix = torch.from_numpy(np.random.default_rng(0).normal(size=(48, 8)).astype(np.float32))

    def trunk(self, crops: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(crops, 28).flatten(1) / 255

    def neck(self, features: Tensor) -> Tensor:
        return features @ self._matrix


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TitleWork:
    """Of a title that has neither views nor an adapted network."""
    write_correctable_season(Store(tmp_path))
    monkeypatch.setattr(FaceModels, "base_network", lambda self, options: _Network())
    store = Store(tmp_path).child("titles", slug(ODD), "work")
    return TitleWork(store, Options.model_validate(store.read_json("page_facts.json")["options"]))


def test_views_that_are_not_stored_are_made_the_same(work: TitleWork) -> None:
    crops, options = choose_crops(work), work.options
    views = embed_chunk(_Network(), load_pixels(work.store, crops.rows), crops.rows, options.adapt, options.seed)
    found = embed_crops(work.store, ODD)
    np.testing.assert_allclose(found.before, unit(views.plain + views.flipped), atol=1e-6)
    np.testing.assert_array_equal(found.track_id, crop_tracks(work.store)[crops.rows])
    assert (found.iteration, found.after) == (0, None)  # nothing was adapted

    adaptation = Adaptation.on_cache(views, crops.track_of_crop, options.adapt, options.seed)
    work.store.write_bytes("adapt/01/state.safetensors", adaptation.state_bytes())
    work.store.write_json("adapt.done.json", work.store.read_json("adapt.done.json") | {"iterations": 2})
    found = embed_crops(work.store, ODD)
    expected = unit(unit(adaptation.embed("plain").embeddings) + unit(adaptation.embed("flipped").embeddings))
    assert found.after is not None
    np.testing.assert_allclose(found.after, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "says"), [("page_facts.json", "not what this version writes"), ("adapt.done.json", "is gone")]
)
def test_working_data_that_cannot_be_used_is_named(work: TitleWork, key: str, says: str) -> None:
    if "gone" in says:
        work.store.delete(key)
    else:
        work.store.write_json(key, {"options": {"adapt": {"no such option": 1}}})
    with pytest.raises(InputError, match=says) as told:
        embed_crops(work.store, ODD)
    assert "run the same `vcn-ray run` command again" in str(told.value)
