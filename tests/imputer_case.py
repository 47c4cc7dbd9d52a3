"""A small table with missing entries, and how well an imputer fills it."""

from functools import cache

import numpy as np

from cvae_keras.systems.auto_decoder.imputer import VADImputer

SMALL = {"hidden": (4,), "epochs": 1, "latent_dim": 2, "random_state": 0, "batch_size": 1000}
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 5)) + 0.2 * RNG.normal(size=(300, 5))
SEEN = RNG.random(TABLE.shape) > 0.2


def hidden(table):
    """The table with NaN where an entry is not seen; its dtype stays."""
    return np.where(SEEN, table, np.array(np.nan, table.dtype))


def fill(table, **options):
    return VADImputer(**{**SMALL, **options}).fit_transform(table)


@cache
def plain_fill():
    """What an imputer of the same options makes of the table as it is."""
    return fill(hidden(TABLE))


def error(filled, table):
    """Root mean square over the hidden entries."""
    return float(np.sqrt(np.mean(np.square((filled - table)[~SEEN]))))
