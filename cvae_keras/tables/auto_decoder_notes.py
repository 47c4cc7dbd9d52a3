"""What stands below the table of the auto-decoder."""

NOTES = """
Mean squared error over all entries of the test rows, observed ones included, as the paper counts.
(a): trained and tested at the same missing ratio. (b): trained on clean data, tested with missing
entries; in (a) the auto-decoder learns its variances, in (b) they are fixed. All three models have
the same decoder and the same number of epochs. `vad.csv` has the errors on observed and on missing
entries apart.

- The auto-decoder is not below the zero-filled VAE, from ratio 0.3 on: {where}.
- It is not below the mask-aware VAE: {there}.
"""

PUBLISHED = """
Published curves, read off the plots of Zadeh et al., 2019 (other data than here, for comparison of
shape only), at ratio 0.9:

| data | VAE | VAD |
|---|---|---|
| synthetic | 0.133 | 0.030 |
| Menpo | 0.0069 | 0.0036 |
| MOSEI | 0.020 | 0.010 |
| MOSI | 0.0049 | 0.0033 |
"""
