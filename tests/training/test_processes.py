"""One model trained by several replicas and by several processes."""

import json
import os
import re
import socket
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.files import ROOT
from cvae_keras.training import FreshBatches, ShuffledBatches, process

ARRAYS = {"x": np.arange(22.0)[:, None], "c": {"a": np.arange(22)}}


def whole(parts):
    return np.concatenate(parts)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_shards_of_batches_are_the_batches(world):
    makes = [
        lambda **shard: ShuffledBatches(ARRAYS, 8, seed=3, **shard),
        lambda **shard: FreshBatches(TASKS["data_1"], 8, steps=2, seed=3, **shard),
    ]
    for make in makes:
        all_rows, shards = make(), [make(shard=(rank, world)) for rank in range(world)]
        for epoch in (0, 1):
            for each in (all_rows, *shards):
                each.epoch = epoch
            for step in range(2):
                given = [shard[step][0]["x"] for shard in shards]
                assert {len(rows) for rows in given} == {8 // world}
                np.testing.assert_array_equal(whole(given), all_rows[step][0]["x"])


def test_the_dataset_of_a_shard_is_the_shard():
    batches = ShuffledBatches({"x": ARRAYS["x"]}, 8, seed=3, shard=(1, 2))
    for step, (inputs,) in enumerate(batches.tf_dataset()):
        np.testing.assert_array_equal(inputs["x"], batches[step][0]["x"])


@pytest.mark.parametrize(
    ("shard", "sentence"),
    [
        ((2, 2), "its rank must be below its world"),
        ((0, 3), "which 3 processes cannot share in equal parts"),
        ((0, 0), "the world of shard must be"),
        ((-1, 2), "the rank of shard must be"),
        (2, "shard must be a tuple"),
        ([0, 2], "shard must be a tuple"),
        ((0.0, 2), "the rank of shard must be"),
    ],
)
def test_bad_shards_are_refused(shard, sentence):
    with pytest.raises(ValueError, match=sentence):
        ShuffledBatches(ARRAYS, 8, shard=shard)


def run(code, *arguments, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def answer(process):
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return json.loads(out.splitlines()[-1])


REPLICAS = """
import json
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from cvae_keras.training import ReplicaSeedGenerator
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def gradients(make):
    with strategy.scope():
        generator = make(0)

    @tf.function
    def mean_of_noise():  # the gradient of mean(w * noise), summed over replicas
        draw = lambda: tf.reduce_mean(keras.random.normal((8,), seed=generator)) / 2
        return tf.reduce_sum(tf.stack(strategy.experimental_local_results(strategy.run(draw))))

    return np.array([mean_of_noise().numpy() for _ in range(600)])

kinds = {"ours": ReplicaSeedGenerator, "keras": keras.random.SeedGenerator}
print(json.dumps({name: float(gradients(make).var()) for name, make in kinds.items()}))
"""


@pytest.mark.long
def test_replicas_draw_different_noise():
    """The mean of 16 standard normal numbers has the variance 1/16, of 8 numbers 1/8."""
    found = answer(run(REPLICAS, KERAS_BACKEND="tensorflow"))
    assert found["ours"] == pytest.approx(1 / 16, rel=0.25)  # 4 standard deviations
    assert found["keras"] == pytest.approx(1 / 8, rel=0.25)  # if this fails, Keras has repaired it


PROCESSES = """
import json
import os
import sys
rank, world, port = map(int, sys.argv[1:4])
import keras
keras.utils.set_random_seed(0)
if world > 1:
    keras.distribution.initialize(f"127.0.0.1:{port}", world, rank)
import jax
import numpy as np
from cvae_keras import DenseCVAE
from cvae_keras.data import Conditioned, CorrelatedGaussian
from cvae_keras.training import FreshBatches, ShuffledBatches, process
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=jax.devices()))

source = Conditioned(CorrelatedGaussian(3, seed=0))
arrays = source.examples(96, seed=1)
fits = {
    "fresh": lambda: FreshBatches(source, 32, steps=3, shard=process()),
    "shuffled": lambda: ShuffledBatches(arrays, 32, seed=0, shard=process()),
    "dictionary": lambda: arrays if world > 1 else ShuffledBatches(arrays, 32, seed=0),
}
found = {}
for name, make in fits.items():
    keras.utils.set_random_seed(0)
    model = DenseCVAE(3, latent_dim=2, enc_layers=[8], dec_layers=[8], seed=0)
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(make(), epochs=2, verbose=0).history
    weights = [np.asarray(weight.value.addressable_data(0)) for weight in model.trainable_weights]
    found[name] = {"loss": history["loss"], "weights": [float(w.sum()) for w in weights]}
try:
    model.fit(ShuffledBatches(arrays, 32), verbose=0)
except ValueError as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.mark.long
@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_two_processes_train_as_one():
    """Each computes half of every batch; losses and weights are those of one process."""
    port, more = free_port(), {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    pair = [run(PROCESSES, rank, 2, port, **more) for rank in range(2)]
    first, second = map(answer, pair)
    alone = answer(run(PROCESSES, 0, 1, 0, **more))
    for name in ("fresh", "shuffled", "dictionary"):
        for key in ("loss", "weights"):
            np.testing.assert_allclose(first[name][key], alone[name][key], rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(second[name][key], first[name][key], rtol=1e-6, atol=1e-6)
    for rank, found in enumerate((first, second)):
        assert found["refused"].startswith(
            f"x has the shard (0, 1), but this is process {rank} of 2: "
        )


def program_of_the_page(port):
    """The program that names this port, with a free one in its place."""
    page = (ROOT / "docs" / "many_machines.md").read_text()
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.S) if port in code]
    return code.replace(port, str(free_port()))


@pytest.mark.long
@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_the_program_of_the_page_runs_in_two_processes():
    code = program_of_the_page("8002") + "\nprint(float(model.optimizer.iterations))"
    more = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    pair = [run(code, rank, 2, **more) for rank in range(2)]
    assert [answer(each) for each in pair] == [6.0, 6.0]


BOTH_RANKS = """
import keras
import numpy as np
import torch
from cvae_keras import DenseCVAE
from cvae_keras.data import Conditioned, CorrelatedGaussian
from cvae_keras.training import FreshBatches

keras.utils.set_random_seed(0)
models = [DenseCVAE(3, latent_dim=2, enc_layers=[8], dec_layers=[8], seed=r) for r in range(2)]
models[1].set_weights(models[0].get_weights())
source = Conditioned(CorrelatedGaussian(3, seed=0))
shards = [FreshBatches(source, batch_size=32, steps=3, shard=(rank, 2)) for rank in range(2)]
parameters = [[p for p in model.parameters() if p.requires_grad] for model in models]
optimizer = torch.optim.Adam(parameters[0], 1e-2)
for epoch in range(2):
    for step in range(3):
        for model, shard in zip(models, shards):
            shard.epoch = epoch
            model.zero_grad()
            model.compute_loss(y_pred=model(shard[step][0], training=True)).backward()
        for first, second in zip(*parameters):
            first.grad = (first.grad + second.grad) / 2
        optimizer.step()
        for first, second in zip(*parameters):
            second.data.copy_(first.data)
model = models[0]
"""
PRINT_WEIGHTS = """
weights = map(keras.ops.convert_to_numpy, model.trainable_weights)
print([np.ravel(each).tolist() for each in weights])
"""


@pytest.mark.long
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_replicas_of_pytorch_take_the_mean_gradient():
    """The page's program in two processes ends as one process that averages by hand."""
    code = program_of_the_page("8003") + "import numpy as np" + PRINT_WEIGHTS
    pair = [run(code, rank, 2, KERAS_BACKEND="torch") for rank in range(2)]
    first, second = map(answer, pair)
    by_hand = answer(run(BOTH_RANKS + PRINT_WEIGHTS, KERAS_BACKEND="torch"))
    assert first == second
    for found, expected in zip(first, by_hand, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_single_process_is_the_first_of_one():
    assert process() == (0, 1)
