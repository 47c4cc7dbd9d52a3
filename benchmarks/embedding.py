"""Training speed of CompressionVAE's network against the original's recipe, in one run.

The original's own code is not run here: it needs TensorFlow 1. Its recipe is written below in plain
PyTorch: encoder cells [512, 128], five flow steps with one small network *for each dimension*, a
decoder in reverse, batches of 64, Adam. Ours is the same network with masked dense layers over all
dimensions at once. Both train on standardised random rows of 784 numbers, without neighbours.

    python benchmarks/embedding.py [--seconds 20] [--threads 1]
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

CELLS, STEPS, BATCH, FEATURES, FLOW_WIDTH = (512, 128), 5, 64, 784, 16


def reference(latent, seconds, threads):
    """Training examples per second of the original's recipe in PyTorch."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    def dense(sizes):
        layers = []
        for inner, outer in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(inner, outer), nn.ReLU()]
        return nn.Sequential(*layers)

    class Step(nn.Module):
        """m_i and s_i from z_1 .. z_(i-1) and the context, one small network a dimension."""

        def __init__(self):
            super().__init__()
            self.nets = nn.ModuleList(
                nn.Sequential(
                    nn.Linear(i + CELLS[-1], FLOW_WIDTH), nn.ReLU(), nn.Linear(FLOW_WIDTH, 2)
                )
                for i in range(latent)
            )

        def forward(self, z, context):
            out = [net(torch.cat([z[:, :i], context], 1)) for i, net in enumerate(self.nets)]
            m, logit = torch.stack(out, 1).unbind(-1)
            s = torch.sigmoid(logit + 2.0)
            return s * z + (1 - s) * m, torch.log(s)

    encoder, head = dense((FEATURES, *CELLS)), nn.Linear(CELLS[-1], 2 * latent)
    steps = nn.ModuleList(Step() for _ in range(STEPS))
    decoder = nn.Sequential(dense((latent, *CELLS[::-1])), nn.Linear(CELLS[0], FEATURES))
    parts = nn.ModuleList([encoder, head, steps, decoder])
    optimizer = torch.optim.Adam(parts.parameters(), 1e-3)
    x = torch.randn(64 * BATCH, FEATURES)

    def train(batch):
        context = encoder(batch)
        mean, log_var = head(context).chunk(2, 1)
        noise = torch.randn_like(mean)
        z, log_q = mean + torch.exp(log_var / 2) * noise, -0.5 * (noise**2 + log_var)
        for number, step in enumerate(steps):
            z = z.flip(1) if number else z
            z, log_s = step(z, context)
            log_q = (log_q.flip(1) if number else log_q) - log_s
        loss = 0.5 * ((decoder(z) - batch) ** 2).sum(1) + (log_q + 0.5 * z**2).sum(1)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()

    return _rate(lambda i: train(x[(i % 64) * BATCH : (i % 64 + 1) * BATCH]), seconds)


def ours(latent, seconds, threads):
    """Training examples per second of `CompressionModel` with the same sizes."""
    import keras
    import numpy as np
    import tensorflow as tf

    from cvae_keras.systems.compression import CompressionModel

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = CompressionModel(FEATURES, latent, STEPS, CELLS)
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=64)
    x = np.random.default_rng(0).normal(size=(64 * BATCH, FEATURES)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices({"x": x}).batch(BATCH).repeat(50)
    model.fit(data.take(64), verbose=0)  # builds the graph
    start, examples = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        model.fit(data.take(640), verbose=0)
        examples += 640 * BATCH
    return examples / (time.perf_counter() - start)


def _rate(step, seconds):
    for i in range(20):
        step(i)
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step(steps)
        steps += 1
    return steps * BATCH / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows = []
    for latent in (2, 64):
        row = {"latent_dim": latent}
        for name, measure in (("ours", ours), ("reference", reference)):
            row[name] = round(measure(latent, arguments.seconds, arguments.threads))
        row["ratio"] = round(row["ours"] / row["reference"], 2)
        print(row)
        rows.append(row)
    import keras
    import torch

    versions = {"keras": keras.__version__, "torch": torch.__version__}
    about = {"threads": arguments.threads, "seconds": arguments.seconds, "versions": versions}
    about |= {"system": platform.system(), "cores": os.cpu_count()}
    arguments.out.write_text(json.dumps({"examples_per_second": rows, **about}, indent=1) + "\n")


if __name__ == "__main__":
    main()
