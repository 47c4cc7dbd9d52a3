"""The set-up line of the notebooks."""

import logging
import os
import sys
import warnings

import matplotlib.pyplot as plt
import pandas as pd

from cvae_keras.plots.style import NOTEBOOK

#: Warnings of other packages that do not concern a reader.
IGNORED = (
    "IProgress not found",
    "Skipping variable loading for optimizer",
    r"`build\(\)` was called on layer",
)


def setup(digits=3):
    """Set the style of figures and tables, and silence what does not concern a reader.

    Args:
        digits: significant digits of the numbers in tables.

    Returns:
        Whether the notebook runs in its quick mode, which the tests use: the same code on less
        data. It is on if the environment variable CVAE_QUICK is set.

    Example:
        ```python
        from cvae_keras.notebook import setup

        QUICK = setup()
        ```
    """
    logging.getLogger("tensorflow").setLevel("ERROR")
    for message in IGNORED:
        warnings.filterwarnings("ignore", message=message)
    plt.rcParams.update(NOTEBOOK)
    if "ipykernel" in sys.modules:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")
    pd.set_option("display.float_format", f"{{:.{digits}g}}".format)
    return bool(os.environ.get("CVAE_QUICK"))
