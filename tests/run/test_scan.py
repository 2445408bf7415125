"""Two-point averages of kinked functions wherever inputs are, by two methods: benchmarks/scan.py, thinned."""

from __future__ import annotations

import pytest

from benchmarks.scan import GAPS, NAMES, SPREADS, scan


@pytest.mark.parametrize("name", NAMES)
def test_no_spread_and_no_correlation_gives_a_wrong_number_without_a_warning(name: str) -> None:
    cells = list(scan([name], SPREADS[::2], GAPS[::3]))
    assert len(cells) == 2 * 3 * 5 * 2
    assert [cell for cell in cells if cell.error > 1e-8 and not cell.warned] == []
    assert sum(cell.warned for cell in cells) <= 0.01 * len(cells)
