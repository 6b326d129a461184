"""InsightFaceDetector on a stand-in: a network of SCRFD's form that sees a face wherever the image is bright.

insightface's own weights may not be carried along, so what is tested is what lies around them: how images are handed
over and results handed back.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from vcn_ray.errors import ModelError
from vcn_ray.models.insightface_detectors import InsightFaceDetector

# Left, top, right, bottom of a box and x, y of five landmarks, from the anchor's centre, in strides.
BOX = np.array([1, 2, 3, 4], np.float32)
LANDMARKS = np.array([-1, -1, 1, -1, 0, 0, -1, 1, 1, 1], np.float32)


def _stand_in(path: Path, side: int | None = None) -> Path:
    """Scores are the brightness of each cell of 8 pixels, blue counting most; the coarser maps see nothing."""
    nodes, outputs = [], {"score": [], "box": [], "landmarks": []}
    weights = {
        "channels": np.array([0.01, 0.02, 0.1], np.float32).reshape(1, 3, 1, 1),
        "offset": np.float32(0.13),
        "column": np.array([-1, 1], np.int64),
        "BOX": BOX,
        "LANDMARKS": LANDMARKS,
        "gain": np.float32(1),
        "zero": np.float32(0),
    }
    nodes.append(make_node("Mul", ["image", "channels"], ["weighted"]))
    nodes.append(make_node("ReduceSum", ["weighted", "channel_axis"], ["sum"]))
    nodes.append(make_node("Add", ["sum", "offset"], ["light"]))
    weights["channel_axis"] = np.array([1], np.int64)
    for stride in (8, 16, 32):
        s = str(stride)
        nodes += [
            make_node("AveragePool", ["light"], ["cell" + s], kernel_shape=[stride] * 2, strides=[stride] * 2),
            make_node("Transpose", ["cell" + s], ["last" + s], perm=[0, 2, 3, 1]),
            make_node("Reshape", ["last" + s, "column"], ["one" + s]),
            make_node("Concat", ["one" + s, "one" + s], ["two" + s], axis=1),  # two anchors a cell
            make_node("Reshape", ["two" + s, "column"], ["seen" + s]),
            make_node("Mul", ["seen" + s, "gain" if stride == 8 else "zero"], ["score" + s]),
            make_node("Mul", ["score" + s, "zero"], ["nought" + s]),
            make_node("Add", ["nought" + s, "BOX"], ["box" + s]),
            make_node("Add", ["nought" + s, "LANDMARKS"], ["landmarks" + s]),
        ]
        for kind in outputs:
            outputs[kind].append(kind + s)
    size = side or "?"
    real = onnx.TensorProto.FLOAT
    width = {"score": 1, "box": 4, "landmarks": 10}
    graph = onnx.helper.make_graph(
        nodes,
        "stand-in",
        [onnx.helper.make_tensor_value_info("image", real, [1, 3, size, size])],
        [onnx.helper.make_tensor_value_info(n, real, ["k" + n, width[k]]) for k in outputs for n in outputs[k]],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def _image(height: int, width: int, *cells: tuple[int, int, int]) -> np.ndarray:
    """Black, with cells of 8 x 8 pixels (row, column, BGR channel) lit."""
    image = np.zeros((height, width, 3), np.uint8)
    for row, column, channel in cells:
        image[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8, channel] = 255
    return image


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (50, 41)])
def test_faces_lie_where_the_network_sees_them_in_images_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    detector = InsightFaceDetector(_stand_in(tmp_path / "det.onnx"), 0.15)
    found = detector.detect(_image(*size, (3, 2, 0)))
    assert len(found) == 1
    centre = np.array([2 * 8, 3 * 8])
    assert np.allclose(found.boxes[0], [*(centre - BOX[:2] * 8), *((BOX[:2] + BOX[2:]) * 8)])
    assert np.allclose(found.landmarks[0], centre + LANDMARKS.reshape(5, 2) * 8)
    assert found.scores[0] == pytest.approx(0.13 + (0.1 * 127.5 - 0.03 * 127.5) / 128, abs=1e-3)


def test_channels_are_told_apart_and_faces_come_by_score(tmp_path: Path) -> None:
    detector = InsightFaceDetector(_stand_in(tmp_path / "det.onnx"), 0.001)
    found = detector.detect(_image(64, 320, (3, 3, 2), (3, 20, 0), (3, 35, 1)))
    left = found.boxes[:3, 0] + 8
    assert (np.diff(found.scores) <= 0).all()
    assert left[0] == 20 * 8  # blue is the third channel of RGB
    assert list(left[1:]) == [35 * 8, 3 * 8]


def test_min_score_and_no_face(tmp_path: Path) -> None:
    path = _stand_in(tmp_path / "det.onnx")
    assert len(InsightFaceDetector(path, 0.9).detect(_image(64, 64, (1, 1, 0)))) == 0
    assert InsightFaceDetector(path, 0.9).detect(_image(64, 64)).landmarks.shape == (0, 5, 2)


def test_earlier_images_do_not_matter(tmp_path: Path) -> None:
    path = _stand_in(tmp_path / "det.onnx")
    images = [_image(64, 64, (1, 1, 0)), _image(100, 200, (3, 2, 0)), _image(64, 64)]
    alone = [InsightFaceDetector(path, 0.15).detect(image) for image in images]
    detector = InsightFaceDetector(path, 0.15)
    for k in (2, 0, 1, 0, 2):
        assert np.array_equal(detector.detect(images[k]).boxes, alone[k].boxes)


def test_a_network_for_one_size_scales_images_to_it(tmp_path: Path) -> None:
    detector = InsightFaceDetector(_stand_in(tmp_path / "det.onnx", side=64), 0.15)
    image = np.kron(_image(64, 64, (3, 2, 0)), np.ones((2, 2, 1), np.uint8))
    found = detector.detect(image)
    assert len(found) == 1
    assert np.allclose(found.boxes[0, 2:], (BOX[:2] + BOX[2:]) * 16)


def test_what_is_no_detector_is_refused(tmp_path: Path, iresnet_onnx: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    for path in (iresnet_onnx, tmp_path / "text.onnx", tmp_path / "gone.onnx"):
        with pytest.raises(ModelError, match=path.name):
            InsightFaceDetector(path, 0.5)
    with pytest.raises(ValueError, match="uint8"):
        InsightFaceDetector(_stand_in(tmp_path / "det.onnx"), 0.5).detect(np.zeros((8, 8), np.uint8))
