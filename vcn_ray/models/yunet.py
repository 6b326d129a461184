"""YuNet (Wu, Peng and Yu, 2023), OpenCV Zoo's face detector, run by OpenCV itself."""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np

from vcn_ray.errors import ModelError
from vcn_ray.models.detection import Detections

_NMS_IOU = 0.3
_MAX_CANDIDATES = 5000

# A network is laid out anew for each image size; videos have one or two sizes, photographs many.
_KEPT_SIZES = 4


class YuNetDetector:
    """YuNet on one ONNX model. Sees faces from about 10 to 300 pixels wide: scale larger images down first."""

    def __init__(self, model: bytes, min_score: float):
        """Prepare a detector.

        Args:
            model: content of the ONNX file.
            min_score: faces of a lower score are left out, 0..1.

        Raises:
            ModelError: OpenCV cannot read the model.
        """
        self._model = np.frombuffer(model, dtype=np.uint8)
        self._min_score = min_score
        self._networks: OrderedDict[tuple[int, int], cv2.FaceDetectorYN] = OrderedDict()
        self._network_for((320, 320))

    def detect(self, image_bgr: np.ndarray) -> Detections:
        """Faces of a (h, w, 3) uint8 BGR image, by falling score.

        YuNet names landmarks by the person's own side, right first, which is the image's left: the order is kept.

        Raises:
            ValueError: the image is of another shape or type.
        """
        if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8 or image_bgr.size == 0:
            raise ValueError(f"an image of (h, w, 3) uint8 is needed, not {image_bgr.shape} {image_bgr.dtype}")
        height, width = image_bgr.shape[:2]
        _, rows = self._network_for((width, height)).detect(np.ascontiguousarray(image_bgr))
        found = np.zeros((0, 15), np.float32) if rows is None else np.asarray(rows, dtype=np.float32)
        return Detections.ranked(found[:, :4], found[:, 14].clip(0, 1), found[:, 4:14].reshape(-1, 5, 2))

    def _network_for(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        network = self._networks.get(size)
        if network is None:
            level = cv2.utils.logging.getLogLevel()
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns of a setting nobody made
            try:
                network = cv2.FaceDetectorYN.create(
                    "onnx", self._model, np.zeros(0, np.uint8), size, self._min_score, _NMS_IOU, _MAX_CANDIDATES
                )
            except cv2.error as error:
                raise ModelError(f"OpenCV {cv2.__version__} cannot run the YuNet model: {error.err}") from None
            finally:
                cv2.utils.logging.setLogLevel(level)
            self._networks[size] = network
            if len(self._networks) > _KEPT_SIZES:
                self._networks.popitem(last=False)
        self._networks.move_to_end(size)
        return network
