"""Do bins keep every update and every extreme?"""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from statewise.reporting._thinning import bins_by_phase, bins_of

VALUES = st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=300)


@given(values=VALUES, most=st.integers(1, 50))
def test_bins_cover_all_updates_in_order_and_keep_least_and_greatest(values: list[float | None], most: int) -> None:
    bins = bins_of(values, most=most)
    assert len(bins) == min(most, len(values))
    assert [place for each in bins for place in range(each.start, each.stop)] == list(range(len(values)))
    sizes = {each.stop - each.start for each in bins}
    assert not sizes or max(sizes) - min(sizes) <= 1
    there = [value for value in values if value is not None and math.isfinite(value)]
    assert sum(each.num_broken for each in bins) == len(values) - len(there)
    lows, highs = ([value for value in found if value is not None] for found in ([each.low for each in bins], [each.high for each in bins]))
    assert min(lows, default=None) == min(there, default=None)
    assert max(highs, default=None) == max(there, default=None)
    for each in bins:
        if each.middle is not None and each.low is not None and each.high is not None:
            assert each.low <= each.middle <= each.high or math.isclose(each.low, each.high)


def test_a_bin_of_one_update_is_named_by_its_number() -> None:
    assert [(each.label, each.update) for each in bins_of([1.0, 2.0])] == [("1", 1.0), ("2", 2.0)]


@given(values=VALUES, most=st.integers(2, 50), border=st.integers(0, 300))
def test_no_bin_reaches_over_the_border_between_two_phases(values: list[float | None], most: int, border: int) -> None:
    bins = bins_by_phase(values, border, most=most)
    assert len(bins) <= most
    assert [place for each in bins for place in range(each.start, each.stop)] == list(range(len(values)))
    assert not any(each.start < border < each.stop for each in bins if border < len(values))
