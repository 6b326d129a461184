"""Options from settings: what is wrong in them is named."""

from __future__ import annotations

import pytest

from vcn_ray.config import make_options
from vcn_ray.errors import OptionError


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"stranger_men": 0.1}, "option 'calibration' has no key 'stranger_men'; did you mean 'stranger_mean'"),
        ({"zzz": 0.1}, "'zzz'; there are: stranger_mean, "),
        ({"same_std": -1}, "option 'calibration': same_std: .* greater than 0, not -1"),
        ("0.1", "option 'calibration'"),
        ("same_mean 0.1", "on a command line"),
    ],
)
def test_what_is_wrong_in_a_calibration_is_named(value: object, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make_options({"calibration": value})
