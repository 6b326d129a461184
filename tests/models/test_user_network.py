"""A face-ID network of the user's own reaches every machine, and only its contents count."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import set_external_data
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from support.counting_stages import CountingStages, video

from vcn_ray.config import ModelOptions, Options, make_options
from vcn_ray.errors import ModelError, OptionError, OutputError
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.models.packs import load_pack
from vcn_ray.models.user_network import localise, network_digest, publish, stored_in
from vcn_ray.season.run import run_season
from vcn_ray.storage.objectstore import bytes_read
from vcn_ray.storage.store import Store


@pytest.fixture
def network(tmp_path: Path) -> Callable[..., Path]:
    def run(folder: str = "mine", *, weights_in: str | None = None) -> Path:
        """A small network, its weights in the file or in one beside it."""
        weight = np.random.default_rng(3).normal(0, 0.01, (4, 3 * 112 * 112)).astype(np.float32)
        nodes = [make_node("Flatten", ["image"], ["flat"]), make_node("Gemm", ["flat", "w"], ["out"], transB=1)]
        real = onnx.TensorProto.FLOAT
        graph = make_graph(
            nodes,
            "network",
            [make_tensor_value_info("image", real, ("n", 3, 112, 112))],
            [make_tensor_value_info("out", real, None)],
            [onnx.numpy_helper.from_array(weight, "w")],
        )
        model = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)
        path = tmp_path / folder / "net.onnx"
        path.parent.mkdir(exist_ok=True)
        if weights_in is not None:
            set_external_data(model.graph.initializer[0], weights_in)
            model.graph.initializer[0].ClearField("raw_data")
            (path.parent / weights_in).parent.mkdir(exist_ok=True)
            (path.parent / weights_in).write_bytes(weight.tobytes())
        path.write_bytes(model.SerializeToString())
        return path

    return run


def _options(network: object) -> Options:
    return make_options({"face_id_onnx": str(network), "face_id_input": "raw"})


def _embedding(models: ModelOptions) -> np.ndarray:
    import torch

    with torch.no_grad():
        found = load_pack(models.pack, models.face_id_onnx, models.face_id_input)
        return found.face_id()(torch.full((1, 3, 112, 112), 100.0)).numpy()


def _location(options: Options) -> str:
    assert options.models.face_id_onnx is not None
    return options.models.face_id_onnx


def test_a_published_network_bears_its_digest_and_outlives_the_users_file(
    network: Callable[..., Path], tmp_path: Path
) -> None:
    path = network()
    digest, expected = hashlib.sha256(path.read_bytes()).hexdigest(), _embedding(_options(path).models)
    assert network_digest(_options(path).models) == digest

    published = publish(_options(path), Store(tmp_path / "out"))
    path.unlink()
    assert _location(published) == str(tmp_path / "out" / "models" / digest / f"{digest}.onnx")
    assert network_digest(published.models) == digest
    local = localise(published.models)
    assert load_pack("opencv-zoo", local.face_id_onnx, "raw").face_id_digest == digest
    assert np.array_equal(_embedding(local), expected)


def test_where_the_file_lies_and_what_it_is_called_does_not_count(network: Callable[..., Path], tmp_path: Path) -> None:
    out = Store(tmp_path / "out")
    here, there = network("here"), network("there")
    there = there.rename(there.with_name("another name.onnx"))
    assert publish(_options(here), out) == publish(_options(there), out)
    assert len(out.keys("models/")) == 1


def test_the_packs_own_network_and_a_published_one_stay_as_they_are(
    network: Callable[..., Path], tmp_path: Path
) -> None:
    out = Store(tmp_path / "out")
    assert publish(Options(), out) == Options()
    assert localise(ModelOptions()) == ModelOptions()
    published = publish(_options(network()), out)
    assert publish(published, Store(tmp_path / "another out")) == published
    assert localise(_options("/elsewhere/net.onnx").models) == _options("/elsewhere/net.onnx").models


def test_results_that_were_moved_bring_their_network_along(network: Callable[..., Path], tmp_path: Path) -> None:
    options = publish(_options(network()), Store(tmp_path / "out"))
    (tmp_path / "out").rename(tmp_path / "moved")
    moved = stored_in(options.models, Store(tmp_path / "moved"))
    assert moved.face_id_onnx is not None
    assert network_digest(moved) == network_digest(options.models)
    assert localise(moved).face_id_onnx == moved.face_id_onnx
    elsewhere = Store(tmp_path / "other results")
    assert stored_in(options.models, elsewhere) == options.models
    assert stored_in(ModelOptions(), elsewhere) == ModelOptions()


def test_many_titles_share_a_network_that_is_read_once(network: Callable[..., Path], tmp_path: Path) -> None:
    path, known = network(), {}  # type: ignore[var-annotated]
    first = publish(_options(path), Store(tmp_path / "out"), known)
    path.unlink()
    assert publish(_options(path), Store(tmp_path / "out"), known) == first


def test_weights_beside_the_network_come_along(network: Callable[..., Path], tmp_path: Path) -> None:
    path = network(weights_in="parts/net.bin")
    expected = _embedding(_options(path).models)
    published = publish(_options(path), Store(tmp_path / "out"))
    for file in (path, path.parent / "parts" / "net.bin"):
        file.unlink()
    assert np.array_equal(_embedding(localise(published.models)), expected)


@pytest.mark.parametrize("location", ["../outside.bin", "link.bin"])
def test_nothing_from_outside_the_networks_folder_is_published(
    network: Callable[..., Path], tmp_path: Path, location: str
) -> None:
    path = network(weights_in=location)
    if location == "link.bin":
        (tmp_path / "outside.bin").write_bytes((path.parent / location).read_bytes())
        (path.parent / location).unlink()
        (path.parent / location).symlink_to(tmp_path / "outside.bin")
    with pytest.raises(ModelError, match="outside its own folder"):
        publish(_options(path), Store(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_one_that_is_no_network_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    for name in ("gone.onnx", "text.onnx"):
        for use in (
            lambda path: publish(_options(path), Store(tmp_path / "out")),
            lambda path: network_digest(_options(path).models),
        ):
            with pytest.raises(ModelError, match=name):
                use(tmp_path / name)


def test_what_was_changed_in_the_results_is_not_used(network: Callable[..., Path], tmp_path: Path) -> None:
    published = publish(_options(network()), Store(tmp_path / "out"))
    stored = onnx.load(_location(published))
    stored.producer_name = "somebody else"
    Path(_location(published)).write_bytes(stored.SerializeToString())
    with pytest.raises(ModelError, match="is not the network that was put there"):
        localise(published.models)


@pytest.fixture
def uploaded(network: Callable[..., Path], s3_bucket: str) -> tuple[Path, str]:
    """A network with weights beside it, here and in an object store."""
    path = network(weights_in="net.bin")
    for file in path.parent.iterdir():
        Store(f"{s3_bucket}/networks").write_bytes(file.name, file.read_bytes())
    return path, f"{s3_bucket}/networks/net.onnx"


def test_from_and_to_an_object_store(
    uploaded: tuple[Path, str], s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path, url = uploaded
    assert network_digest(_options(url).models) == network_digest(_options(path).models)
    published = publish(_options(url), Store(f"{s3_bucket}/out"))
    assert _location(published).startswith(f"{s3_bucket}/out/models/")
    assert publish(_options(path), Store(f"{s3_bucket}/out")) == published

    local = localise(published.models)
    assert str(local.face_id_onnx).startswith(str(tmp_path / "cache"))
    assert np.array_equal(_embedding(local), _embedding(_options(path).models))
    before = bytes_read()
    assert localise(published.models) == local
    assert bytes_read() == before

    Path(str(local.face_id_onnx)).with_name("net.bin").write_bytes(b"cut off")
    assert np.array_equal(_embedding(localise(published.models)), _embedding(_options(path).models))


def test_what_an_object_store_lacks_or_has_changed_is_told(
    uploaded: tuple[Path, str], s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match=r"option 'face_id_onnx': .*networks/gone\.onnx"):
        publish(_options(f"{s3_bucket}/networks/gone.onnx"), Store(tmp_path / "out"))
    published = publish(_options(uploaded[1]), Store(f"{s3_bucket}/out"))
    Store(_location(published).rpartition("/")[0]).write_bytes("net.bin", bytes(4 * 4 * 3 * 112 * 112))
    with pytest.raises(ModelError, match="is not the network that was put there"):
        localise(published.models)


def test_a_cache_that_cannot_be_written_is_named(
    uploaded: tuple[Path, str], s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    published = publish(_options(uploaded[1]), Store(f"{s3_bucket}/out"))
    with pytest.raises(OutputError, match="XDG_CACHE_HOME"):
        localise(published.models)


@pytest.fixture
def transformer(tmp_path: Path) -> Path:
    """A folder as far as anybody looks at it before the network is loaded."""
    folder = tmp_path / "Überraschung é 日本"
    folder.mkdir()
    (folder / "config.json").write_text('{"architecture": "vit"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "notes.txt").write_text("of no concern")
    return folder


def test_a_transformers_folder_is_published_fetched_and_checked_like_a_file(
    transformer: Path, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for file in transformer.iterdir():
        Store(f"{s3_bucket}/networks").write_bytes(f"vit/{file.name}", file.read_bytes())
    here = make_options({"face_id_vit": str(transformer)})
    there = make_options({"face_id_vit": f"{s3_bucket}/networks/vit/"})
    digest = network_digest(here.models)
    assert (
        digest == network_digest(there.models) == load_pack("opencv-zoo", face_id_vit=str(transformer)).face_id_digest
    )

    for out in (Store(tmp_path / "out"), Store(f"{s3_bucket}/out")):
        published = publish(here, out)
        assert published == publish(there, out) == publish(published, out)
        assert published.models.face_id_vit == out.where(f"models/{digest}/{digest}.vit")
        assert [key.rpartition("/")[2] for key in out.keys("models/")] == ["config.json", "model.safetensors"]
        assert network_digest(published.models) == digest
        assert stored_in(published.models, out) == published.models
        local = localise(published.models)
        assert load_pack("opencv-zoo", face_id_vit=local.face_id_vit).face_id_digest == digest
        out.write_bytes(f"models/{digest}/{digest}.vit/model.safetensors", b"others")
        (tmp_path / "cache" / "vcn-ray" / "networks" / digest / f"{digest}.vit" / "config.json").unlink(missing_ok=True)
        with pytest.raises(ModelError, match="is not the network that was put there"):
            localise(published.models)


def test_a_folder_named_by_dots_is_copied_nowhere_else(
    transformer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (transformer / "below").mkdir()
    digest = network_digest(make_options({"face_id_vit": str(transformer)}).models)
    assert network_digest(make_options({"face_id_vit": f"{transformer}/below/.."}).models) == digest
    assert list((tmp_path / "temporary").iterdir()) == []
    with pytest.raises(ModelError, match=r"option 'face_id_vit': s3://bucket/vit/\.\. ends in '\.\.'"):
        network_digest(make_options({"face_id_vit": "s3://bucket/vit/.."}).models)


def test_what_a_transformers_folder_in_an_object_store_lacks_is_told(s3_bucket: str, tmp_path: Path) -> None:
    store = Store(f"{s3_bucket}/networks")
    options = make_options({"face_id_vit": f"{s3_bucket}/networks/vit"})
    for name, message in (("config.json", "has no config.json"), ("pytorch_model.bin", "has no model.safetensors")):
        with pytest.raises(ModelError, match=message):
            network_digest(options.models)
        store.write_bytes(f"vit/{name}", b"{}")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin, a pickle"):
        publish(options, Store(tmp_path / "out"))


def test_a_run_has_one_network_of_the_users() -> None:
    with pytest.raises(OptionError, match="'face_id_vit': takes nothing beside face_id_onnx"):
        make_options({"face_id_onnx": "a.onnx", "face_id_vit": "b"})


class Asking(CountingStages):
    """Leaves the network that workers are given beside the title's results."""

    def finish(self, store: Store, results: Store, options: Options, *others: Any) -> dict[str, Any]:
        results.write_json("network.json", options.models.face_id_onnx)
        return super().finish(store, results, options, *others)


def test_a_season_works_on_the_published_network_and_records_what_was_given(
    uploaded: tuple[Path, str], tmp_path: Path
) -> None:
    path, url = uploaded
    season = find_season([video(tmp_path, "a.mp4", [1, 2]), video(tmp_path, "b.mp4", [3])])
    out, stages = Store(tmp_path / "out"), Asking(tmp_path / "calls")
    own = {"b": _options(path)}
    run_season(season, out, _options(url), executor=LocalExecutor(), stages=stages, title_options=own)

    digest = network_digest(_options(path).models)
    address = str(tmp_path / "out" / "models" / digest / f"{digest}.onnx")
    assert [out.read_json(f"titles/{title}/network.json") for title in "ab"] == [address, address]
    assert out.read_json("season.json")["options"]["models"]["face_id_onnx"] == url

    calls = stages.called()
    run_season(season, out, _options(path), executor=LocalExecutor(), stages=stages)
    assert {call for call, times in stages.called().items() if times > calls[call]} <= {"finish season"}
