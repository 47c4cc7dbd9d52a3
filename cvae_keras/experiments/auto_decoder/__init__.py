"""The tables of the auto-decoder, and its runs from a grid of options."""

from cvae_keras.experiments.auto_decoder.run import (
    DEFAULTS,
    complete,
    read_config,
    score_missing,
    train,
    write_grid,
)

__all__ = ["DEFAULTS", "complete", "read_config", "score_missing", "train", "write_grid"]
