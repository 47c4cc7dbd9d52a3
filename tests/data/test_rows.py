"""Rows read from a file when they are asked for."""

import numpy as np

from cvae_keras.data.rows import CHUNK, MappedRows, Subset, read


def test_mapped_rows_read_the_file_and_slices_of_it(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(MappedRows(mapped)[[3, 1]], x[[3, 1]])
    assert np.array_equal(MappedRows(mapped[10:40])[5:7], x[15:17])
    many = np.random.default_rng(1).integers(len(x), size=CHUNK + 5)  # read in parts
    assert np.array_equal(MappedRows(mapped)[many], x[many])
    rows = Subset(MappedRows(mapped), [4, 2], shift=1.0, scale=2.0)
    np.testing.assert_allclose(read(rows, [1]), (x[[2]] - 1) / 2)
