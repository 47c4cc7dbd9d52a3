"""BayesFlow on the sinusoid tasks: its flows, at the budget of time that the Conv1D CVAE had.

    pip install bayesflow==2.0.12 jax
    KERAS_BACKEND=jax python benchmarks/sinusoid_bayesflow.py --task 1 --network flow_matching

Both see fresh examples, and read the curves with the same convolutions (`CurveReader`). BayesFlow
infers the four ramp ends, standardized. The budget is the processor time that
`sinusoid_conv_<task>_training.csv` reports; the learning rate falls along half a cosine over it.
"""

import time
from pathlib import Path

import bayesflow as bf
import click
import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.files import MODELS, RESULTS, manifest, write_json
from cvae_keras.metrics.modes import score_samples
from cvae_keras.systems.sinusoid.deep_network import CurveReader
from cvae_keras.systems.sinusoid.refine import refine

STEPS = 100
NETWORKS = {
    "flow_matching": bf.networks.FlowMatching,
    "spline_flow": lambda: bf.networks.CouplingFlow(transform="spline"),
}


@keras.saving.register_keras_serializable("cvae_keras_benchmarks")
class Summary(bf.networks.SummaryNetwork):
    """The reader of the Conv1D CVAE as a summary network."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.reader = CurveReader(256, 3)

    def call(self, x, **kwargs):
        return self.reader(x)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 256)


def train(task, network, budget, batch, rate, seed):
    """An approximator trained for `budget` seconds of processor time, and its steps."""
    rng = np.random.default_rng(seed)

    def simulate(shape):
        ends = task.draw_ends(shape[0], rng)
        y = task.forward(task.ramps(ends))
        return {"ends": ends.astype("float32"), "y": y.astype("float32")}

    simulator = bf.simulators.LambdaSimulator(simulate, is_batched=True)
    workflow = bf.BasicWorkflow(
        simulator=simulator,
        inference_network=NETWORKS[network](),
        summary_network=Summary(),
        inference_variables="ends",
        summary_variables="y",
    )
    approximator = workflow.approximator
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=5.0)
    approximator.compile(optimizer=optimizer)
    steps, spent = 0, 0.0
    with tqdm(total=round(budget), unit="s", desc=network) as bar:
        while spent < budget:
            start = time.process_time()
            share = min(1.0, spent / budget)
            warm = min(1.0, (steps + STEPS) / 500)
            optimizer.learning_rate.assign(rate * warm * 0.5 * (1 + np.cos(np.pi * share)))
            data = bf.datasets.OnlineDataset(
                simulator, batch_size=batch, num_batches=STEPS, adapter=approximator.adapter
            )
            history = approximator.fit(dataset=data, epochs=1, verbose=0)
            used = time.process_time() - start
            steps, spent = steps + STEPS, spent + used
            bar.set_postfix(steps=steps, loss=f"{history.history['loss'][-1]:.3g}")
            bar.update(round(spent) - bar.n)
    return approximator, steps


@click.command()
@click.option("--task", "number", type=click.Choice([1, 2]), required=True)
@click.option("--network", type=click.Choice(list(NETWORKS)), default="flow_matching")
@click.option("--budget", type=float, help="Seconds of processor time.  [default: as the CVAE]")
@click.option("--batch", type=int, default=256, show_default=True)
@click.option("--rate", type=float, default=1e-3, show_default=True)
@click.option("--curves", type=int, default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "sinusoid_rivals")
def main(number, network, budget, batch, rate, curves, seed, out):
    """Train, draw 100 samples for each of 1,000 fresh y, and score them."""
    if budget is None:
        log = pd.read_csv(MODELS / f"sinusoid_conv_{number}_training.csv")
        budget = float(log["cpu_seconds"].sum())
    keras.utils.set_random_seed(seed)
    task = TASKS[f"data_{number}"]
    start = time.perf_counter()
    approximator, steps = train(task, network, budget, batch, rate, seed)
    trained = time.perf_counter()
    _, y = task.sample(curves, 12345)
    drawn = approximator.sample(num_samples=100, conditions={"y": y}, batch_size=50, seed=seed)
    samples = task.ramps(np.swapaxes(drawn["ends"], 0, 1))
    sampled = time.perf_counter()
    refined, ok = refine(task, samples, y)
    done = time.perf_counter()
    label = {"task": number, "model": f"BayesFlow, {network.replace('_', ' ')}"}
    raw = {**score_samples(task, samples, y), "seconds": sampled - trained}
    fine = {**score_samples(task, refined, y, ok), "seconds": done - sampled}
    rows = [{**label, "samples": "prior", **raw}, {**label, "samples": "refined", **fine}]
    config = {"task": number, "network": network, "budget": budget, "batch": batch, "rate": rate}
    config |= {"steps": steps, "seed": seed, "bayesflow": bf.__version__}
    out.mkdir(parents=True, exist_ok=True)
    content = {"rows": rows, "manifest": manifest(config, trained - start)}
    write_json(out / f"task_{number}_{network}.json", content)
    click.echo(pd.DataFrame(rows).to_string())


if __name__ == "__main__":
    main()
