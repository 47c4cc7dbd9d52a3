"""Of each test of many inputs, `make test` runs the first, `make test-long` one more.

`make test-thorough` runs all.
"""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    seen = {}
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        test = (item.path, item.originalname)
        seen[test] = seen.get(test, 0) + 1
        if seen[test] == 2:
            item.add_marker(pytest.mark.long)
        elif seen[test] > 2:
            item.add_marker(pytest.mark.thorough)
