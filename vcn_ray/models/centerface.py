"""CenterFace (Xu et al., arXiv:1911.03599), StarClouds' face detector with five landmarks, run by onnxruntime.

It looks at an image at a quarter of its size and finds smaller faces than YuNet, at five to eight times its time.
"""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from vcn_ray.errors import ModelError, first_line
from vcn_ray.models.detection import Detections, check_image, planes, without_overlaps

_STRIDE_PX = 4
_STEP_PX = 32  # the network halves an image five times
_NMS_IOU = 0.3
_MAX_CANDIDATES = 5000
#: The network's own score of a face, and what it is on the common scale (`detectors`): as few things are taken for
#: faces from it on as by YuNet from that (120 labelled frames scaled so that faces are 12 to 28 pixels: 0.2 in a
#: hundred frames from 0.4 and 0.6 on, 38 from 0.17 and 0.2 on).
_OWN_SCORE, _COMMON_SCORE = (0.0, 0.17, 0.4, 1.0), (0.0, 0.2, 0.6, 1.0)
_OUTPUTS = ["537", "538", "539", "540"]  # of each cell: score, height and width, y and x within it, landmarks


class CenterFaceDetector:
    """CenterFace on one ONNX model."""

    def __init__(self, model: bytes, min_score: float):
        """Prepare a detector.

        Args:
            model: content of the ONNX file.
            min_score: faces of a lower score are left out, 0..1, on the common scale.

        Raises:
            ModelError: this is no CenterFace.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # as for YuNet
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(
                _for_any_size(model), options, providers=["CPUExecutionProvider"]
            )
        except ModelError:
            raise
        except Exception as error:  # onnxruntime's exceptions have no common base class but this one
            message = f"the CenterFace model cannot be run ({first_line(error)}); install its pack again"
            raise ModelError(message) from None
        if sorted(o.name for o in self._session.get_outputs()) != _OUTPUTS:
            raise ModelError("the CenterFace model is another network; install its pack again")
        self._own_min_score = np.interp(min_score, _COMMON_SCORE, _OWN_SCORE)

    def detect(self, image_bgr: np.ndarray) -> Detections:
        """Faces of a (h, w, 3) uint8 BGR image, by falling score.

        Raises:
            ValueError: the image is of another shape or type.
        """
        check_image(image_bgr)
        height, width = image_bgr.shape[:2]
        below, right = -height % _STEP_PX, -width % _STEP_PX
        padded = cv2.copyMakeBorder(image_bgr, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        image = planes(cv2.cvtColor(padded, cv2.COLOR_BGR2RGB))
        outputs = self._session.run(_OUTPUTS, {self._session.get_inputs()[0].name: image})
        faces = Detections.ranked(*self._decode(*(output[0] for output in outputs)))
        kept = without_overlaps(faces.boxes[:_MAX_CANDIDATES], _NMS_IOU)
        return Detections(faces.boxes[kept], faces.scores[kept], faces.landmarks[kept])

    def _decode(
        self, heat: np.ndarray, size: np.ndarray, offset: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (n, 4), scores (n,) and landmarks (n, 5, 2) of the cells that see a face's centre.

        All pairs are y before x. A size is the logarithm of one in strides, a landmark a share of the box.
        """
        row, column = np.nonzero(heat[0] >= self._own_min_score)
        sizes = (np.exp(size[:, row, column]) * _STRIDE_PX)[::-1].T
        centres = (np.stack([column, row], axis=1) + offset[::-1, row, column].T + 0.5) * _STRIDE_PX
        corners = centres - sizes / 2
        shares = points[:, row, column].T.reshape(-1, 5, 2)[:, :, ::-1]
        landmarks = corners[:, None] + shares * sizes[:, None]
        scores = np.interp(heat[0, row, column], _OWN_SCORE, _COMMON_SCORE)
        return np.concatenate([corners, sizes], axis=1), scores, landmarks


def _for_any_size(content: bytes) -> bytes:
    """The model, its batch and image size left open: the file says 10 x 3 x 32 x 32."""
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise ModelError("the CenterFace model: not an ONNX model, or cut off; install its pack again") from None
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [given for given in model.graph.input if given.name not in weights]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        raise ModelError("the CenterFace model is another network; install its pack again")
    for place, name in ((0, "batch"), (2, "height"), (3, "width")):
        inputs[0].type.tensor_type.shape.dim[place].dim_param = name
    del model.graph.input[:]  # old files list weights among the inputs
    model.graph.input.extend(inputs)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model.SerializeToString()
