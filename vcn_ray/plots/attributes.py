"""What makes faces hard to tell apart, measured on a title's crops: their light and their blur (S 5)."""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from vcn_ray.export.pictures import decode_crop

#: Largest singular values of a crop that count as its blur. The supplement does not say how many; 10 is what public
#: implementations of its source take, and on our crops agrees best with the Laplacian's sharpness (correlation .7).
SINGULAR_VALUES = 10

_CROPS_AT_ONCE = 256


def lightness(crop_bgr: np.ndarray) -> float:
    """Mean lightness L of a crop in HLS space, 0 (black) to 1 (white) (S 5, S Fig. 2).

    The supplement takes the mean over a face crop, and of a track over its sampled crops. Ours are the aligned crops
    of 112 x 112 pixels. crop_bgr: (h, w, 3) uint8.
    """
    return float(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2HLS)[..., 1].mean()) / 255


def svd_sharpness(crops_grey: np.ndarray) -> np.ndarray:
    """1 - beta, beta = sum of the `SINGULAR_VALUES` largest singular values / sum of all; low where blurred.

    beta is the blur degree of Su, Lu and Tan (ACM Multimedia 2011), which the supplement cites (S 5, S Fig. 2). It
    says that its values fall with blur, hence 1 - beta; and gives neither the number of singular values nor the size of
    crops nor a scale, so that shapes compare with S Fig. 2 and numbers do not.

    crops_grey: (n, h, w), of one size. Returns (n,) in 0..1.
    """
    images = crops_grey.astype(np.float64)
    with threadpool_limits(1):  # many small problems
        # Singular values are roots of the eigenvalues of A'A, found ten times faster.
        squares = np.linalg.eigvalsh(images.transpose(0, 2, 1) @ images)
    values = np.sqrt(squares.clip(0))[:, ::-1]
    total = values.sum(axis=1)
    top = values[:, :SINGULAR_VALUES].sum(axis=1)
    return 1 - np.divide(top, total, out=np.ones_like(total), where=total > 0)


def track_attributes(crops: pa.Table, most_crops: int) -> dict[str, np.ndarray]:
    """Lightness and sharpness of a title's tracks, each the mean over the track's sampled crops (S Fig. 2).

    Args:
        crops: track_id and jpeg, as in `schemas.CROPS`.
        most_crops: of a track, evenly spaced.

    Returns:
        'lightness' and 'sharpness', (tracks,), one value for each track that has a crop, by its number.

    Raises:
        OutputError: a crop is damaged.
    """
    from vcn_ray.adapt.cache import spread_crops  # imports torch, which other figures do without

    tracks = crops["track_id"].to_numpy()
    rows = spread_crops(tracks, most_crops)
    light, sharp = np.empty(len(rows)), np.empty(len(rows))
    for start in range(0, len(rows), _CROPS_AT_ONCE):
        some = slice(start, start + _CROPS_AT_ONCE)
        images = [decode_crop(jpeg) for jpeg in crops["jpeg"].take(pa.array(rows[some])).to_pylist()]
        light[some] = [lightness(image) for image in images]
        sharp[some] = svd_sharpness(np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images]))
    _, track = np.unique(tracks[rows], return_inverse=True)
    count = np.bincount(track)
    return {name: np.bincount(track, values) / count for name, values in (("lightness", light), ("sharpness", sharp))}
