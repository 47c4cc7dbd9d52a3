"""Every table in `results/`: from a configuration, by a run, to CSV, Markdown and figures."""
