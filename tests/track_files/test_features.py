"""Files of embeddings: Parquet and npz say the same; what is wrong with one is said; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vcn_ray.errors import InputError
from vcn_ray.track_files.features import read_features

VECTORS = np.array([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]], np.float32)


def _npz(path: Path, **arrays: object) -> str:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return str(path)


def test_parquet_and_npz(tmp_path: Path) -> None:
    columns = {"track": ["b", "a", "b"], "video": ["é 日本.mp4", "2", "é 日本.mp4"], "frame": [5, 6, 7]}
    pq.write_table(pa.table(columns | {"embedding": VECTORS.tolist()}), tmp_path / "a.parquet")
    arrays = {name: np.array(values) for name, values in columns.items()}
    for path in (str(tmp_path / "a.parquet"), _npz(tmp_path / "a.npz", features=VECTORS, **arrays)):
        file = read_features(path)
        assert file.videos() == ["é 日本.mp4", "2"]
        assert (file.track.tolist(), file.frame.tolist(), file.missing) == ([0, 1, 0], [5, 6, 7], ("box",))
        assert file.embeddings == pytest.approx(VECTORS)
        assert file.clarity.tolist() == [5, 2, 1]


def test_what_a_file_does_not_say(tmp_path: Path) -> None:
    file = read_features(_npz(tmp_path / "a.npz", embedding=VECTORS, track_id=[7, 3, 7], clarity=[1.0, 2, 4]))
    assert file.track.tolist() == [7, 3, 7]
    assert len(set(file.frame.tolist())) == 3  # nobody is seen together
    assert file.missing == ("video", "frame", "box")
    assert np.linalg.norm(file.embeddings, axis=1) == pytest.approx([1, 2, 4])
    assert file.videos() == ["a.npz"]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"track": [1]}, "lacks embedding; .*found: track"),
        ({"embedding": VECTORS}, "lacks track"),
        ({"embedding": VECTORS, "track": [1, 2]}, "track has 2 elements for 3 embeddings"),
        ({"embedding": VECTORS[0], "track": [1, 2]}, "of shape"),
        ({"embedding": VECTORS * np.nan, "track": [1, 2, 3]}, "row 1: the embedding has numbers that are not finite"),
        ({"embedding": VECTORS * [[0], [1], [1]], "track": [1, 2, 3]}, "row 1: .* longer than 0"),
        ({"embedding": VECTORS, "track": [1, 1, 2], "frame": [4, 4, 4]}, "the track 1 has two crops in frame 4"),
        ({"embedding": VECTORS, "track": [1, 1, 2], "frame": [4.5, 4, 4]}, "frame is to be a whole number"),
        ({"embedding": VECTORS, "track": np.array([1, None, 2], object)}, "cannot be read as npz"),
    ],
)
def test_unusable_files_are_named_with_the_reason(tmp_path: Path, arrays: dict, says: str) -> None:
    path = _npz(tmp_path / "[b].npz", **arrays)
    with pytest.raises(InputError, match=says) as caught:
        read_features(path)
    assert path in str(caught.value)
