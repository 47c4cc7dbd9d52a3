"""Each figure, as a function that returns a matplotlib `Figure`, and the colors of all."""

from cvae_keras.plots.auto_decoder import (
    STYLES,
    plot_curves,
    plot_fills,
    plot_panel,
    plot_rows,
)
from cvae_keras.plots.calibration import (
    plot_c2st,
    plot_calibration,
    plot_coverage,
    plot_predictive,
    plot_ranks,
)
from cvae_keras.plots.compression import plot_embedding, plot_latent_grid
from cvae_keras.plots.dense import plot_dense_run, plot_rate_distortion
from cvae_keras.plots.multimodal import plot_multimodal, tiled
from cvae_keras.plots.search import (
    plot_best_so_far,
    plot_marginals,
    plot_parallel,
    plot_searches,
    plot_weighted_loss,
)
from cvae_keras.plots.sinusoid import plot_beside, plot_samples, plot_solved, plot_training
from cvae_keras.plots.style import DISTINCT, OBSERVED, SAMPLE, TRUTH, legend_outside

__all__ = [
    "DISTINCT",
    "OBSERVED",
    "SAMPLE",
    "STYLES",
    "TRUTH",
    "legend_outside",
    "plot_beside",
    "plot_best_so_far",
    "plot_c2st",
    "plot_calibration",
    "plot_coverage",
    "plot_curves",
    "plot_dense_run",
    "plot_embedding",
    "plot_fills",
    "plot_latent_grid",
    "plot_marginals",
    "plot_multimodal",
    "plot_panel",
    "plot_parallel",
    "plot_predictive",
    "plot_ranks",
    "plot_rate_distortion",
    "plot_rows",
    "plot_samples",
    "plot_solved",
    "plot_training",
    "plot_searches",
    "plot_weighted_loss",
    "tiled",
]
