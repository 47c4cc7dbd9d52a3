"""The set-up line of the notebooks."""

import logging
import os
import sys
import warnings

import matplotlib.pyplot as plt
import pandas as pd

from cvae_keras.data.images import load_images
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
    quick = bool(os.environ.get("CVAE_QUICK"))
    if "ipykernel" in sys.modules and not quick:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")
    pd.set_option("display.float_format", f"{{:.{digits}g}}".format)
    return quick


def image_set(quick=False):
    """The images of a notebook: MNIST where it can be had, else scikit-learn's digits.

    MNIST is read from the folder in the environment variable CVAE_KERAS_DATA, or Keras loads it.
    Where neither works, that is printed.

    Args:
        quick: whether the notebook runs in its quick mode, which has the digits.

    Returns:
        "mnist" or "digits", for `load_images`.

    Example:
        >>> image_set(quick=True)
        'digits'
    """
    if quick:
        return "digits"
    try:
        load_images("mnist")
    except Exception as error:  # Keras raises Exception itself where a download fails
        print(f"MNIST cannot be loaded ({type(error).__name__}): scikit-learn's digits instead.")
        return "digits"
    return "mnist"
