"""Of each test of many inputs, `make test` runs the first two; `make test-thorough` all."""

from pathlib import Path

import pytest

FIRST = 2


def pytest_collection_modifyitems(items):
    seen = {}
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        test = (item.path, item.originalname)
        seen[test] = seen.get(test, 0) + 1
        if seen[test] > FIRST:
            item.add_marker(pytest.mark.thorough)
