"""Face models and clusterers of one's own reach every stage of a title."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from support import tiny_title
from support.tiny_title import TINY_MODELS, TRACKS, tiny_options, tiny_work
from support.tiny_vit import make_vit, save_vit

from vcn_ray.cluster.clusterers.table import CLUSTERERS
from vcn_ray.cluster.linkage import relabel
from vcn_ray.cluster.links import pair_matrix
from vcn_ray.cluster.similarity import track_means
from vcn_ray.errors import ModelError, OptionError
from vcn_ray.evaluate.baselines.hac import at_fixed_threshold
from vcn_ray.evaluate.baselines.problem import TrackFaces
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY, RESULTS
from vcn_ray.pipeline.title_crops import choose_crops, load_cannot_link, load_views
from vcn_ray.pipeline.videoclusternet import VideoClusterNet
from vcn_ray.storage.store import Store


@pytest.fixture
def title(tmp_path):
    """The tiny title in a store of its own."""
    store = Store(tmp_path / "work")
    tiny_title.make_title(store)
    return store


def test_a_baseline_of_the_field_can_take_the_place_of_the_products_merging(title):
    tiny_title.adapt(title, {"merging": "hac"})
    content = [json.loads(stored) for stored in tiny_title.clusterings(title).values()]
    assert len(content) == 3  # two adapted clusterings that agree: adaptation changes nothing for it
    work = tiny_work(title)
    crops, views = choose_crops(work), load_views(work)
    kept = np.array(content[0]["kept"])
    rows = kept[crops.track_of_crop]
    faces = TrackFaces(
        ((views.plain + views.flipped) / 2)[rows],
        np.unique(crops.track_of_crop[rows], return_inverse=True)[1],
        pair_matrix(load_cannot_link(title, crops), len(kept))[np.ix_(kept, kept)],
    )
    labels = np.array(content[0]["labels"])
    cut = at_fixed_threshold(cannot_link=True).prepare(faces, 0)
    assert labels[kept].tolist() == cut(**CLUSTERERS["hac"].setting).tolist()
    assert len(set(labels)) > 1
    assert set(labels[~kept]) <= {-1}
    assert content[0]["confidence"] == [None] * TRACKS


class _ByColour:
    """Tracks are one character where the strongest output of their crops is the same."""

    def cluster(self, faces):
        rows, track = faces.kept_crops()
        strongest = track_means(faces.outputs.adapted[rows], track, int(faces.kept.sum())).argmax(axis=1)
        return faces.clusters_of_kept(relabel(strongest))


def test_a_clusterer_of_ones_own_is_a_class_and_a_line(title, monkeypatch):
    monkeypatch.setitem(CLUSTERERS, "by colour", _ByColour())
    tiny_title.adapt(title, {"merging": "by colour", "max_iterations": 1})
    first, second = (json.loads(stored) for stored in tiny_title.clusterings(title).values())
    kept = np.array(first["kept"])
    labels = np.array(first["labels"])[kept]
    assert labels.tolist() == relabel(labels).tolist()
    assert len(set(labels)) > 1
    assert len(second["labels"]) == TRACKS
    assert title.read_json("adapt.done.json")["delivered"] == 1  # without confidence the last one counts


def test_face_models_that_were_given_reach_every_stage(tmp_path):
    stages, options = VideoClusterNet(TINY_MODELS), tiny_options({"max_iterations": 0})
    out = Store(tmp_path)
    results = out.child("titles", "t")
    work = results.child("work")
    tiny_title.make_title(work)
    stages.check(options)
    keys = stages.view_chunks(work, options, "cpu")
    assert stages.views_left(work, options, "cpu") == (1, 1)
    stages.embed_views(work, options, keys[0])
    assert stages.views_left(work, options, "cpu") == (0, 1)
    stages.adapt(work, options, "cpu", options.run.threads_per_title, lambda _: None)
    assert stages.is_adapted(work, options, "cpu")
    assert set(work.read_table(EMBEDDINGS_KEY)["face_id"].to_pylist()) == {"tiny"}
    work.mark_done(RESULTS, "made for a test")
    info = SimpleNamespace(name="a.mp4", fps=25.0, frames=1200, duration_s=48.0, width_px=64, height_px=48, warnings=())
    stages.finish(work, results, options, "t", [info], {})
    stages.finish_season(out, ["t"], options, [], 1.0)
    for page in ("titles/t/report.html", "index.html"):
        assert "tiny pack" in out.read_bytes(page).decode()


def test_a_merging_that_does_not_exist_is_told_before_any_work():
    with pytest.raises(OptionError, match=r"'merging'.*evidence, literal"):
        VideoClusterNet(TINY_MODELS).check(tiny_options({"merging": "glue"}))


@pytest.mark.parametrize(("wrong", "message"), [({"depth": 3}, "other weights"), ({"img_size": 224}, "224 x 224")])
def test_a_network_of_ones_own_is_opened_before_any_work(tmp_path, wrong, message):
    folder = save_vit(make_vit(), tmp_path / "network")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_args": config["model_args"] | wrong}))
    with pytest.raises(ModelError, match=message):
        VideoClusterNet().check(tiny_options({"face_id_vit": str(folder)}))


def test_timm_is_missed_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"'face_id_vit': timm is not installed: pip install 'vcn-ray\[vit\]'"):
        VideoClusterNet(TINY_MODELS).check(tiny_options({"face_id_vit": "network"}))
