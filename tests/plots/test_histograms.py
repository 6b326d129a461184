"""Histograms of titles: per cent of each title's tracks, as lines or as rows."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.patches import StepPatch

from vcn_ray.errors import InputError
from vcn_ray.plots.histograms import MOST_LINES, MOST_ROWS, quality_figure
from vcn_ray.plots.style import drawing


def _titles(*qualities: Any) -> list[Any]:
    return [SimpleNamespace(id=f"t{n}", quality=np.asarray(own, np.float32)) for n, own in enumerate(qualities)]


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30), min_size=1, max_size=MOST_LINES))
def test_each_title_s_shares_add_up_to_all_of_it(qualities: list[list[float]]) -> None:
    with drawing():
        axes = quality_figure(_titles(*qualities)).axes[0]
    lines = [patch for patch in axes.patches if isinstance(patch, StepPatch) and not patch.get_fill()]
    assert len(lines) == len(qualities)
    for line, own in zip(lines, qualities, strict=True):
        values, edges, _ = line.get_data()
        assert values.sum() == pytest.approx(100)
        assert edges[0] <= min(own)
        assert max(own) <= edges[-1] + 1e-6
        assert len(values) <= 16


def test_many_titles_are_rows_and_too_many_are_told() -> None:
    with drawing():
        figure = quality_figure(_titles(*([0.5 + n / 200, 0.6] for n in range(MOST_ROWS + 3))))
    (mesh,) = [one for one in figure.axes[0].collections if isinstance(one, QuadMesh)]
    shares = mesh.get_array()
    assert shares is not None
    np.testing.assert_allclose(np.asarray(shares).reshape(MOST_ROWS, -1).sum(axis=1), 100)
    assert "3 more titles are left out" in figure.get_supxlabel().replace("\n", " ")


def test_a_title_without_crops_is_left_out_and_none_at_all_is_an_error() -> None:
    with drawing():
        assert len(quality_figure(_titles([], [0.5])).axes[0].patches) == 2  # its line, and what is below it
        with pytest.raises(InputError, match="no title has a track with a crop"):
            quality_figure(_titles([], []))
