"""insightface's face detectors, SCRFD and RetinaFace, on an ONNX file, run by insightface's own code."""

from __future__ import annotations

import os

import cv2
import numpy as np
import onnxruntime
from insightface import model_zoo

from vcn_ray.errors import ModelError, first_line
from vcn_ray.models.detection import Detections

_STRIDE_PX = 32  # of their coarsest feature map: image sides are padded to a multiple of it


class InsightFaceDetector:
    """SCRFD or RetinaFace with five landmarks.

    Images are taken at the size that they have, as YuNet takes them, not scaled to a square first, as insightface does
    by default; a network that was exported for one size scales them to that.
    """

    def __init__(self, path: str | os.PathLike[str], min_score: float):
        """Prepare a detector.

        Args:
            path: the ONNX file.
            min_score: faces of a lower score are left out, 0..1.

        Raises:
            ModelError: the file is no face detector with landmarks.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # videos are spread by their shards; and the same bytes anywhere
        options.log_severity_level = 3  # errors; it warns of how the files are written
        try:
            network = model_zoo.get_model(
                os.fspath(path),
                providers=["CPUExecutionProvider"],
                sess_options=options,
                static_shape_sessions=False,  # one session for all image sizes
            )
        except Exception as error:  # insightface, onnx and onnxruntime share no base class for what they raise
            raise ModelError(f"{os.fspath(path)}: insightface cannot load it ({first_line(error)})") from None
        if getattr(network, "taskname", None) != "detection" or not getattr(network, "use_kps", False):
            raise ModelError(f"{os.fspath(path)}: not a SCRFD or RetinaFace detector with five landmarks")
        self._fixed_size: tuple[int, int] | None = getattr(network, "static_input_size", None)
        network.prepare(-1, det_thresh=min_score, input_size=self._fixed_size or (_STRIDE_PX, _STRIDE_PX))
        self._network = network

    def detect(self, image_bgr: np.ndarray) -> Detections:
        """Faces of a (h, w, 3) uint8 BGR image, by falling score.

        Raises:
            ValueError: the image is of another shape or type.
        """
        if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8 or image_bgr.size == 0:
            raise ValueError(f"an image of (h, w, 3) uint8 is needed, not {image_bgr.shape} {image_bgr.dtype}")
        image, size = image_bgr, self._fixed_size
        if size is None:
            height, width = image.shape[:2]
            below, right = -height % _STRIDE_PX, -width % _STRIDE_PX
            image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
            size = (width + right, height + below)
        corners, landmarks = self._network.detect(image, input_size=size)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:4] - corners[:, :2]], axis=1)
        return Detections.ranked(boxes, corners[:, 4], landmarks.reshape(-1, 5, 2))
