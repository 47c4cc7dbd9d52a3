"""The multilayer perceptron of scikit-learn for two classes, its training compiled by JAX."""

from functools import cache

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import shuffle
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from cvae_keras.checks import RunError

BATCH, ALPHA = 200, 1e-4  # the defaults of scikit-learn: examples, and the weight penalty
RATE, MOMENTUM, SQUARES, EPSILON = 1e-3, 0.9, 0.999, 1e-8  # of Adam
TOLERANCE, PATIENCE = 1e-4, 10  # of the training loss: least progress, and epochs without it


class CompiledMLPClassifier(ClassifierMixin, BaseEstimator):
    """`sklearn.neural_network.MLPClassifier` of two classes in float32, compiled by JAX.

    Start, order of the examples, minibatches, Adam, weight penalty and the rule that ends training
    are those of scikit-learn with its default settings, drawn from the same random state. The loss
    of the first epochs is the same but for rounding; later ones drift apart, as those of two
    processors do. Small networks train several times faster, as most of the time of a step in NumPy
    is not arithmetic.

    Args:
        hidden_layer_sizes: units of each hidden layer.
        max_iter: epochs, at most.
        random_state: integer.

    Attributes:
        classes_: `(2,)`, the labels.
        coefs_, intercepts_: lists of the weights and biases of each layer.
        loss_curve_: list of the mean training loss of each epoch, in nats.
        n_iter_: number of epochs.

    Raises:
        RunError: JAX is not installed.
        ValueError: y has not two classes, or arrays that do not fit.

    Source: scikit-learn, `MLPClassifier`; Kingma and Ba, "Adam", 2015.

    Example:
        ```python
        network = CompiledMLPClassifier((20, 20), max_iter=1000).fit(X, y)
        network.score(X_test, y_test)
        ```
    """

    def __init__(self, hidden_layer_sizes=(100,), max_iter=200, random_state=0):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y):
        """Train.

        Args:
            X: `(rows, features)`.
            y: `(rows,)`, labels of two classes.

        Returns:
            This estimator.
        """
        X, y = check_X_y(X, y, dtype=np.float32)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            raise ValueError(f"y must hold two classes, got {len(self.classes_)}: choose two.")
        labels, train = labels.astype("float32"), _compiled()
        random = np.random.RandomState(self.random_state)
        weights = _start([X.shape[1], *self.hidden_layer_sizes, 1], random)
        zeros = [(np.zeros_like(kernel), np.zeros_like(bias)) for kernel, bias in weights]
        state = (weights, zeros, zeros, np.float32(0.0))
        size = min(BATCH, len(X))
        whole, order = len(X) // size * size, np.arange(len(X))
        self.loss_curve_, best, waited = [], np.inf, 0
        while len(self.loss_curve_) < self.max_iter and waited <= PATIENCE:
            order = shuffle(order, random_state=random)
            state, total = train(state, X[order[:whole]], labels[order[:whole]], size)
            if whole < len(X):
                rest = order[whole:]
                state, more = train(state, X[rest], labels[rest], len(rest))
                total += more
            loss = float(total) / len(X)
            waited = waited + 1 if loss > best - TOLERANCE else 0
            best = min(best, loss)
            self.loss_curve_.append(loss)
        self.coefs_ = [np.asarray(kernel) for kernel, _ in state[0]]
        self.intercepts_ = [np.asarray(bias) for _, bias in state[0]]
        self.n_iter_ = len(self.loss_curve_)
        return self

    def predict(self, X):
        """The more likely class of each row of X, `(rows,)`."""
        check_is_fitted(self)
        h = check_array(X, dtype=np.float32)
        *inner, (kernel, bias) = zip(self.coefs_, self.intercepts_, strict=True)
        for each, shift in inner:
            h = np.maximum(h @ each + shift, 0.0)
        return self.classes_[((h @ kernel + bias)[:, 0] > 0).astype(int)]


def _start(units, random):
    """Kernels and biases of each layer, uniform as those of scikit-learn for ReLU."""
    found = []
    for before, after in zip(units[:-1], units[1:], strict=True):
        bound = np.sqrt(6.0 / (before + after))
        kernel = random.uniform(-bound, bound, (before, after)).astype("float32")
        found.append((kernel, random.uniform(-bound, bound, after).astype("float32")))
    return found


@cache
def _compiled():
    """Function that makes one Adam step for each minibatch, and returns the sum of the losses."""
    try:
        import jax
    except ImportError as error:
        raise RunError("a compiled classifier needs JAX: install 'cvae-keras[jax]'.") from error
    from jax import numpy as jnp

    def loss(weights, x, y):
        h = x
        for kernel, bias in weights[:-1]:
            h = jax.nn.relu(h @ kernel + bias)
        kernel, bias = weights[-1]
        logit = (h @ kernel + bias)[:, 0]
        penalty = sum(jnp.sum(jnp.square(kernel)) for kernel, _ in weights)
        return jnp.mean(jax.nn.softplus(logit) - y * logit) + ALPHA / 2 * penalty / len(x)

    def step(state, batch):
        weights, first, second, count = state
        value, slopes = jax.value_and_grad(loss)(weights, *batch)
        count, each = count + 1, jax.tree.map
        first = each(lambda m, g: MOMENTUM * m + (1 - MOMENTUM) * g, first, slopes)
        second = each(lambda v, g: SQUARES * v + (1 - SQUARES) * g * g, second, slopes)
        rate = RATE * jnp.sqrt(1 - SQUARES**count) / (1 - MOMENTUM**count)
        weights = each(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), weights, first, second
        )
        return (weights, first, second, count), value

    def train(state, x, y, size):
        batches = x.reshape(-1, size, x.shape[1]), y.reshape(-1, size)
        state, values = jax.lax.scan(step, state, batches)
        return state, size * jnp.sum(values)

    return jax.jit(train, static_argnames="size")
