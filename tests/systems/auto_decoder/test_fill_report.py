"""The report of fills by hand, and their figure."""

import numpy as np
import pandas as pd

from cvae_keras.plots import plot_fills
from cvae_keras.systems.auto_decoder.fill_report import fill_report

FRAME = pd.DataFrame(
    {"age": [1.0, np.nan, np.nan, 5.0], "pet": ["cat", None, "dog", "cat"], "note": [None] * 4}
)
DRAWS = [FRAME.assign(age=[1.0, low, 2.0, 5.0], pet=["cat", "dog", "dog", "cat"]) for low in (1, 3)]


def test_by_hand():
    p = pd.DataFrame([[0.25, 0.75]], index=[1], columns=["cat", "dog"])
    report = fill_report(FRAME, DRAWS[0], DRAWS, {"pet": p}).set_index("column")
    assert report["missing"].tolist() == [2, 1, 4] and report["filled"].tolist() == [2, 1, 0]
    np.testing.assert_allclose(report.loc["age", "uncertainty"], np.sqrt(2) / 2)
    assert report.loc["pet", "uncertainty"] == 0.25 and np.isnan(report.loc["note", "uncertainty"])
    assert report["as"].tolist() == ["deviation", "chance of error", "left out"]


def test_figure():
    figure = plot_fills(FRAME.drop(columns="note"), DRAWS)
    ages, pets = figure.axes[:2]
    assert ages.get_title() == "age, 50% missing" and pets.get_title() == "pet, 25% missing"
    assert [bar.get_height() for bar in pets.patches] == [2 / 3, 1 / 3, 0.0, 1.0]
