"""Data with missing entries: masks, artificial rows, and data sets read from files."""

import numpy as np
import pandas as pd
import pytest

from cvae_keras.data.missing import artificial, draw_mar_mask, draw_mask, load_rows


def test_masks_hide_the_share_asked_for():
    mask = draw_mask((2000, 50), 0.3, seed=0)
    assert set(np.unique(mask)) == {0, 1} and abs(mask.mean() - 0.7) < 0.01
    assert np.array_equal(mask, draw_mask((2000, 50), 0.3, seed=0))
    assert draw_mask((3, 4), 0.0, seed=0).all()
    with pytest.raises(ValueError, match="ratio must lie in"):
        draw_mask((3, 4), 1.0, seed=0)


def test_missing_at_random_depends_on_observed_columns_alone():
    x = np.random.default_rng(0).normal(size=(20_000, 10))
    mask = draw_mar_mask(x, 0.4, seed=1)
    complete = (mask == 1).all(axis=0)
    assert complete.sum() == 3 and np.array_equal(mask, draw_mar_mask(x, 0.4, seed=1))
    np.testing.assert_allclose(mask[:, ~complete].mean(axis=0), 0.6, atol=0.02)
    correlation = np.corrcoef(x.T, mask[:, ~complete].T)[:10, 10:]
    assert np.abs(correlation[~complete]).max() < 0.03  # 4 standard deviations
    assert np.abs(correlation[complete]).max(axis=0).min() > 0.2
    assert draw_mar_mask(x, 0.0, seed=1).all()
    with pytest.raises(ValueError, match="ratio must lie in"):
        draw_mar_mask(x, 1.0, seed=0)
    with pytest.raises(ValueError, match="single column"):
        draw_mar_mask(x[:, :1], 0.4, seed=0)


def test_artificial_data_lie_on_a_decoder_of_few_latents():
    x = artificial(2, 4000, features=30)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-4)
    assert artificial(2, 50).shape == (50, 100) and np.isfinite(x).all()
    nearest = np.sort(((x[:50, None] - x[None]) ** 2).sum(-1), axis=1)[:, 1]  # a surface is dense
    assert np.median(nearest) < 0.05 * np.median(((x[:50, None] - x[None]) ** 2).sum(-1))


def test_data_sets(tmp_path):
    x, x_test = load_rows("digits")
    assert x.shape[1] == 64 and 0 <= x.min() and x.max() == 1 and len(x) + len(x_test) == 1797
    np.savez(tmp_path / "mine.npz", train=np.ones((5, 3)), test=np.zeros((2, 3)))
    x, x_test = load_rows("artificial", tmp_path / "mine.npz", train=4)
    assert x.shape == (4, 3) and x_test.shape == (2, 3) and x.dtype == np.float32
    frame = pd.DataFrame({"a": np.arange(50.0), "b": 3.0})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    x, x_test = load_rows(str(tmp_path / "mine.csv"))
    assert x.shape == (40, 2) and x.min() == 0 and x.max() == 1 and len(x_test) == 10
    frame.assign(c="text").to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(TypeError, match="in its column 'c'"):
        load_rows(str(tmp_path / "mine.csv"))
    for name, path, sentence in [
        ("artificial", None, "give --dataset-path"),
        ("artificial", tmp_path / "none.npz", "is not a file"),
        ("cifar", None, "data set 'cifar' is unknown"),
        (str(tmp_path / "none.csv"), None, "is not a file"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            load_rows(name, path)
