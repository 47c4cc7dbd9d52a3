"""Colors that every figure shares."""

from matplotlib import colormaps

SAMPLE, TRUTH, OBSERVED = "#5b8fd0", "#d1495b", "#222222"
COLORS = colormaps["tab10"]
