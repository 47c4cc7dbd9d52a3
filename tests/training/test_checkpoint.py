"""A training killed anywhere continues from its checkpoint, bit for bit."""

import keras
import numpy as np
import pytest

from cvae_keras.checks import RunError
from cvae_keras.files import replacing
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.training import Checkpoint, FusedAdam, ShuffledBatches, WeightSchedule, linear

pytestmark = pytest.mark.usefixtures("eager")
X = np.random.default_rng(0).standard_normal((64, 2)).astype("float32")
BATCHES = {"x": X, "c": np.zeros((64, 4), "float32")}  # nothing is known


class Killed(BaseException):
    """In place of SIGKILL: nothing catches it."""


class KillAt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.__dict__["epoch"] = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.__dict__["epoch"]:
            raise Killed


def fit(folder, epochs=6, kill=(), settings=None, patience=9):
    """Train a small model with callbacks that have a state; the model and its history."""
    keras.utils.set_random_seed(0)
    model = DenseCVAE(2, latent_dim=2, enc_layers=[4], dec_layers=[4], seed=1)
    model.compile(FusedAdam(1e-2))
    callbacks = [
        WeightSchedule(beta=linear(0.1, 1.0, 4)),
        keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, mode="min", min_delta=10.0),
        keras.callbacks.EarlyStopping("loss", mode="min", patience=patience, min_delta=10.0),
        Checkpoint(folder / ".checkpoint.npz", settings, folder / "log.csv"),
        *kill,
    ]
    history = model.fit(
        ShuffledBatches(BATCHES, 32, seed=2), epochs=epochs, callbacks=callbacks, verbose=0
    ).history
    for name in ("seconds", "cpu_seconds"):
        history.pop(name)
    return model, history


def same(one, other):
    weights = zip(one[0].get_weights(), other[0].get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in weights)
    assert one[1] == other[1]


def log(folder):
    return [line.rsplit(",", 2)[0] for line in (folder / "log.csv").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    kept = keras.Model.run_eagerly
    keras.Model.run_eagerly = property(lambda model: True, kept.fset)
    try:
        return folder, fit(folder)
    finally:
        keras.Model.run_eagerly = kept


@pytest.mark.parametrize(
    "epoch", [0, 3, *(pytest.param(epoch, marks=pytest.mark.long) for epoch in (1, 5))]
)
def test_a_killed_training_ends_as_one_that_was_not(tmp_path, whole, epoch):
    with pytest.raises(Killed):
        fit(tmp_path, kill=[KillAt(epoch)])
    same(fit(tmp_path), whole[1])
    assert log(tmp_path) == log(whole[0])


def test_killed_after_the_last_epoch_the_model_and_its_history_are_there(tmp_path, whole):
    fit(tmp_path)
    same(fit(tmp_path), whole[1])


def test_a_training_that_had_stopped_early_is_not_continued(tmp_path):
    stopped = fit(tmp_path, patience=2)
    assert len(stopped[1]["loss"]) == 3
    same(fit(tmp_path, patience=2), stopped)


@pytest.mark.parametrize(
    "damage",
    [
        "half",
        "absent",
        *(pytest.param(k, marks=pytest.mark.long) for k in ("empty", "flipped", "text")),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, whole, damage, capsys):
    with pytest.raises(Killed):
        fit(tmp_path, kill=[KillAt(4)])
    path = tmp_path / ".checkpoint.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    half = bytes(content[: len(content) // 2])
    new = {"empty": b"", "half": half, "flipped": bytes(content), "text": b"x" * 99}.get(damage)
    path.unlink() if new is None else path.write_bytes(new)
    same(fit(tmp_path), whole[1])
    assert log(tmp_path) == log(whole[0])
    (tmp_path / ".checkpoint.previous.npz").write_bytes(b"")
    path.write_bytes(b"")
    same(fit(tmp_path), whole[1])  # from the beginning


def test_other_settings_or_another_model_start_anew(tmp_path, whole):
    fit(tmp_path, settings={"rate": 1})
    same(fit(tmp_path, settings={"rate": 2}), whole[1])
    model = DenseCVAE(2, latent_dim=3, enc_layers=[4], dec_layers=[4])
    model.compile(FusedAdam())
    history = model.fit(
        BATCHES, epochs=1, verbose=0, callbacks=[Checkpoint(tmp_path / ".checkpoint.npz")]
    )
    assert len(history.history["loss"]) == 1


def test_a_write_that_fails_keeps_the_file_of_before(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(OSError, match="full"), replacing(path) as partial:
        partial.write_text("half")
        raise OSError("disk full")
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "before"


def test_a_link_is_replaced_and_its_target_kept(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("of others")
    link.symlink_to(target)
    (tmp_path / ".partial-link").symlink_to(target)
    with replacing(link) as partial:
        partial.write_text("ours")
    assert (target.read_text(), link.read_text()) == ("of others", "ours")


def test_a_loss_that_is_not_finite_ends_training(tmp_path):
    model = DenseCVAE(2, latent_dim=2, enc_layers=[4], dec_layers=[4], seed=1)
    model.compile(keras.optimizers.SGD(1e30))
    with pytest.raises(RunError, match="^training diverged: the loss is .* in epoch 1, step 2; "):
        model.fit(ShuffledBatches(BATCHES, 16), epochs=2, verbose=0)


def data_with(value, kind):
    x = X.copy()
    x[40, 1] = value
    arrays = {**BATCHES, "x": x}
    if kind == "arrays":
        return arrays
    if kind == "shuffled":
        return lambda: ShuffledBatches(arrays, 16)
    if kind == "generator":
        return ({k: v[i : i + 16] for k, v in arrays.items()} for i in range(0, 64, 16))
    if kind == "dataset":
        tf = pytest.importorskip("tensorflow")
        return tf.data.Dataset.from_tensor_slices(arrays).batch(16)

    class Mine(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return ({k: v[16 * i : 16 * i + 16] for k, v in arrays.items()},)

    return Mine()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["arrays", "shuffled", "generator", "dataset", "pydataset"])
def test_a_batch_that_is_not_finite_is_refused_by_name(kind, value):
    model = DenseCVAE(2, latent_dim=2, enc_layers=[4], dec_layers=[4])
    model.compile(FusedAdam())
    data = data_with(value, kind)
    keep = {} if kind in ("arrays", "pydataset", "shuffled") else {"shuffle": False}
    with pytest.raises(ValueError, match=r"^x holds NaN or infinity[^\n]*\.$"):
        model.fit(data() if callable(data) else data, verbose=0, **keep)
