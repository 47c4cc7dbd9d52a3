"""The sinusoid tasks: infer two ramps x from two curves y; and the data sets data_1 and data_2."""

import io
import math
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from cvae_keras.checks import check_count, check_generator
from cvae_keras.data.arrays import read_array
from cvae_keras.files import expand, regular_file, replacing
from cvae_keras.truth import sinusoid as truth

CURVES = {"sin": np.sin, "cos": np.cos}
FARTHEST = 1e15  # values beyond which float64 does not resolve a phase


class SinusoidTask:
    """An inverse problem: find the two ramps x from which two curves y were computed.

    `y_i(t) = g_i(p_i x0(t) + q_i x1(t))`, g_i sin or cos, t = 0..points-1

    x0 falls linearly from hi0 to lo0, x1 rises linearly from lo1 to hi1; for both,
    lo ~ U(low, high) and hi ~ U(lo, high). The order of ramp ends is always (lo0, hi0, lo1, hi1).
    `TASKS` holds the two tasks of the test cases, "data_1" and "data_2".

    Args:
        functions: two triples (name, p, q); name is "sin" or "cos", p and q are in radians per
            unit of x, and the matrix of the p and q must be invertible.
        points: number of points of a ramp, at least 5.
        box: (low, high), the range of both ramps, 0 <= low < high.

    Raises:
        ValueError, TypeError: an argument is not as above.

    Source: the equations of SidWorks01's sinusoid CVAE, ``TASKS["data_1"]`` and ``["data_2"]``.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data import SinusoidTask
        >>> task = SinusoidTask([("sin", 7, 2), ("cos", 3, 9)])
        >>> x, y = task.sample(1000, seed=0)
        >>> x.shape, y.shape
        ((1000, 50, 2), (1000, 50, 2))
        >>> solutions, weights = task.solutions(y[0])
        >>> bool(np.abs(task.forward(solutions) - y[0]).max() < 1e-5)
        True
    """

    def __init__(self, functions, points=50, box=(0.1, 1.0)):
        self.functions = _check_functions(functions)
        if isinstance(points, bool) or not isinstance(points, Integral):
            raise TypeError(f"points is {points!r}; give a whole number of at least 5.")
        if points < 5:
            raise ValueError(f"points is {points}; give at least 5, to determine the phase.")
        self.points = check_count("points", points, 10**6)
        self.box = _check_box(box)
        self.matrix = np.array([[p, q] for _, p, q in self.functions])
        rise = np.arange(self.points) / (self.points - 1)
        self._basis = np.stack([1 - rise, rise])  # (2, points): weights of the first and last value
        self._inverse = np.linalg.pinv(self._basis)  # (points, 2): their least-squares fit

    def draw_ends(self, n, rng):
        """Draw n quadruples of ramp ends from the prior.

        Args:
            n: number of quadruples.
            rng: a `numpy.random.Generator`.

        Returns:
            float64 `(n, 4)`, columns lo0, hi0, lo1, hi1.

        Raises:
            ValueError: n is not a whole number of at least 0.

        Example:
            >>> import numpy as np
            >>> from cvae_keras.data.sinusoid import TASKS
            >>> TASKS["data_1"].draw_ends(3, np.random.default_rng(0)).shape
            (3, 4)
        """
        if isinstance(n, bool) or not isinstance(n, Integral) or n < 0:
            raise ValueError(f"n is {n!r}; give a whole number of examples, 0 or more.")
        n = check_count("n", n, least=0)
        low, high = self.box
        draws = rng.random((n, 4))
        lo = low + (high - low) * draws[:, [0, 2]]
        hi = lo + (high - lo) * draws[:, [1, 3]]
        return np.stack([lo[:, 0], hi[:, 0], lo[:, 1], hi[:, 1]], axis=1)

    def ramps(self, ends):
        """Ramps of given ends: x0 falls from hi0 to lo0, x1 rises from lo1 to hi1.

        Args:
            ends: `(..., 4)`, columns lo0, hi0, lo1, hi1.

        Returns:
            float64 `(..., points, 2)`.

        Raises:
            ValueError: ends has another shape.

        Example:
            >>> from cvae_keras.data.sinusoid import TASKS
            >>> TASKS["data_1"].ramps([0.2, 0.9, 0.3, 0.8])[[0, -1]].tolist()
            [[0.9, 0.3], [0.2, 0.8]]
        """
        ends = np.asarray(ends, dtype=np.float64)
        if ends.ndim < 1 or ends.shape[-1] != 4:
            raise ValueError(f"ends has shape {ends.shape}; give (..., 4): lo0, hi0, lo1, hi1.")
        x = np.empty((*ends.shape[:-1], self.points, 2))
        x[..., 0] = ends[..., [1, 0]] @ self._basis
        x[..., 1] = ends[..., [2, 3]] @ self._basis
        return x

    def ends(self, x):
        """Ends of the ramps nearest to x in the least-squares sense; the inverse of `ramps`.

        Args:
            x: `(..., points, 2)`, any curves.

        Returns:
            float64 `(..., 4)`, columns lo0, hi0, lo1, hi1, which may lie outside the box.

        Raises:
            ValueError: x has another shape.

        Example:
            >>> from cvae_keras.data.sinusoid import TASKS
            >>> task = TASKS["data_1"]
            >>> task.ends(task.ramps([0.2, 0.9, 0.3, 0.8])).round(6).tolist()
            [0.2, 0.9, 0.3, 0.8]
        """
        x = self._check_shape("x", x)
        first, second = x[..., 0] @ self._inverse, x[..., 1] @ self._inverse
        return np.concatenate([first[..., ::-1], second], axis=-1)

    def sample(self, n, seed):
        """Draw n examples.

        Args:
            n: number of examples.
            seed: integer or sequence of integers for `numpy.random.default_rng`.

        Returns:
            `(x, y)`, float32 `(n, points, 2)` each; y is computed in float64.

        Example:
            >>> from cvae_keras.data.sinusoid import TASKS
            >>> x, y = TASKS["data_2"].sample(10, seed=0)
            >>> x.dtype, y.shape
            (dtype('float32'), (10, 50, 2))
        """
        x = self.ramps(self.draw_ends(n, check_generator("seed", seed)))
        return x.astype(np.float32), self.forward(x).astype(np.float32)

    def examples(self, n, seed=0):
        """`sample` as the inputs of a model: dictionary of `x`, and `c`, the curves y.

        Args:
            n: number of examples.
            seed: integer or sequence of integers for `numpy.random.default_rng`.

        Returns:
            Dictionary of float32 arrays `(n, points, 2)`.
        """
        x, y = self.sample(n, seed)
        return {"x": x, "c": y}

    def forward(self, x):
        """The two curves of x, ``y_i = g_i(p_i x0 + q_i x1)``.

        Args:
            x: `(..., points, 2)`, any finite curves.

        Returns:
            y, `(..., points, 2)`, float32 for float32 x, else float64; computed in float64.

        Raises:
            ValueError: x has another shape, or holds NaN, infinity or numbers beyond 1e15.

        Example:
            >>> import numpy as np
            >>> from cvae_keras.data.sinusoid import TASKS
            >>> TASKS["data_1"].forward(np.zeros((50, 2)))[0].tolist()
            [0.0, 1.0]
        """
        dtype = np.float32 if getattr(x, "dtype", None) == np.float32 else np.float64
        x = self._check_finite("x", self._check_shape("x", x))
        if x.size and np.abs(x).max() > FARTHEST:
            raise ValueError(
                f"x reaches {np.abs(x).max():.3g}, where a phase has no digits left: give smaller "
                f"numbers."
            )
        y = np.empty(x.shape, dtype)
        for i, (name, p, q) in enumerate(self.functions):
            y[..., i] = CURVES[name](p * x[..., 0] + q * x[..., 1])
        return y

    def solutions(self, y):
        """All exact solutions of one example, and their posterior weights.

        Args:
            y: `(points, 2)`, values in [-1, 1].

        Returns:
            `(solutions, weights)`: float64 `(k, points, 2)`, by descending weight, k = 0 if y has
            no solution; and float64 `(k,)`, which sums to 1, see
            `cvae_keras.truth.sinusoid.solutions`.

        Raises:
            ValueError: y has another shape, holds NaN, or leaves [-1, 1].

        Example:
            >>> import numpy as np
            >>> from cvae_keras.data.sinusoid import TASKS
            >>> x, y = TASKS["data_2"].sample(1, seed=0)
            >>> solutions, weights = TASKS["data_2"].solutions(y[0])
            >>> bool(np.abs(solutions - x[0]).max(axis=(1, 2)).min() < 1e-5)
            True
        """
        if np.ndim(y) != 2:
            raise ValueError(
                f"y has shape {np.shape(y)}; give one example of shape ({self.points}, 2)."
            )
        ends, weights = truth.solutions(self.functions, self.check_curves(y), self.box)
        return self.ramps(ends), weights

    def check_curves(self, y):
        """Return y as an array if it can be the curves of a task.

        Args:
            y: `(n, points, 2)`, or `(points, 2)` for one example.

        Returns:
            Array of the same shape, float32 if y is float32, else float64.

        Raises:
            ValueError: y has another shape, holds NaN or infinity, or leaves [-1, 1] by more
                than 1e-6.

        Example:
            >>> import numpy as np
            >>> from cvae_keras.data.sinusoid import TASKS
            >>> TASKS["data_1"].check_curves(np.zeros((7, 50, 2))).shape
            (7, 50, 2)
        """
        dtype = np.float32 if getattr(y, "dtype", None) == np.float32 else np.float64
        if np.ndim(y) not in (2, 3):
            raise ValueError(
                f"y has shape {np.shape(y)}; give (n, {self.points}, 2), or one example of it."
            )
        y = self._check_finite("y", self._check_shape("y", y))
        if y.size and np.max(np.abs(y)) > 1 + 1e-6:
            raise ValueError(
                f"y reaches {y.flat[np.argmax(np.abs(y))]:.6g}; give curves within [-1, 1]."
            )
        return y.astype(dtype)

    def get_config(self):
        """Arguments as a dictionary of plain numbers, lists and strings, ready for JSON."""
        functions = [list(function) for function in self.functions]
        return {"functions": functions, "points": self.points, "box": list(self.box)}

    @classmethod
    def from_config(cls, config):
        """The task of a configuration from `get_config`."""
        return cls(**config)

    def __repr__(self):
        return f"SinusoidTask({list(self.functions)}, points={self.points}, box={self.box})"

    def __eq__(self, other):
        return isinstance(other, SinusoidTask) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash((self.functions, self.points, self.box))

    def _check_shape(self, name, x):
        try:
            x = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} is not an array of numbers; give one.") from error
        if x.ndim < 2 or x.shape[-2:] != (self.points, 2):
            raise ValueError(f"{name} has shape {x.shape}; give (..., {self.points}, 2).")
        return x

    def _check_finite(self, name, x):
        if not np.all(np.isfinite(x)):
            raise ValueError(f"{name} holds NaN or infinity; give finite numbers only.")
        return x


def _check_functions(functions):
    rule = 'give two triples (name, p, q) such as ("sin", 5, 3)'
    try:
        functions = [tuple(function) for function in functions]
    except TypeError as error:
        raise TypeError(f"functions is {functions!r}; {rule}.") from error
    if len(functions) != 2 or any(len(function) != 3 for function in functions):
        raise ValueError(f"functions is {functions!r}; {rule}.")
    checked = []
    for name, p, q in functions:
        if name not in tuple(CURVES):
            raise ValueError(f"functions names {name!r}; give 'sin' or 'cos'.")
        if any(isinstance(v, bool) or not isinstance(v, Real) for v in (p, q)):
            raise TypeError(f"functions has p, q = {p!r}, {q!r}; give two numbers.")
        if not (math.isfinite(p) and math.isfinite(q)):
            raise ValueError(f"functions has p, q = {p!r}, {q!r}; give finite numbers.")
        checked.append((name, float(p), float(q)))
    (_, p0, q0), (_, p1, q1) = checked
    if abs(p0 * q1 - p1 * q0) <= 1e-9 * math.hypot(p0, q0) * math.hypot(p1, q1):
        raise ValueError(
            f"functions has the singular system [[{p0:g}, {q0:g}], [{p1:g}, {q1:g}]]; "
            "give p and q that are not proportional, or y cannot determine x0 and x1."
        )
    return tuple(checked)


def _check_box(box):
    try:
        low, high = box
    except (TypeError, ValueError) as error:
        raise ValueError(f"box is {box!r}; give (low, high), two numbers.") from error
    if any(isinstance(v, bool) or not isinstance(v, Real) for v in (low, high)):
        raise ValueError(f"box is {box!r}; give (low, high), two numbers.")
    low, high = float(low), float(high)
    if not (0 <= low < high < math.inf):
        raise ValueError(f"box is {box!r}; give (low, high) with 0 <= low < high.")
    return low, high


#: The two tasks of the published test cases.
TASKS = {
    "data_1": SinusoidTask([("sin", 5, 3), ("cos", 4, 8)]),
    "data_2": SinusoidTask([("cos", 49, 63), ("cos", 4, 8)]),
}


#: The folder of the repository's own data_1 and data_2.
ROOT = Path(__file__).resolve().parents[2]

#: Number of examples of each split.
SPLITS = {"train": 100_000, "validation": 3_000, "score": 50}

#: The seed of each split of each data set, for numpy.random.default_rng.
SEEDS = {
    "data_1": {"train": 1001, "validation": 1002, "score": 1003},
    "data_2": {"train": 2001, "validation": 2002, "score": 2003},
}


def generate(name):
    """Draw the ramp ends of a data set from its fixed seeds.

    Args:
        name: "data_1" or "data_2".

    Returns:
        Dictionary of split -> float32 `(n, 4)`, columns lo0, hi0, lo1, hi1.

    Raises:
        ValueError: name is unknown.

    Example:
        >>> from cvae_keras.data.sinusoid import generate
        >>> generate("data_1")["score"].shape
        (50, 4)
    """
    _check_name(name)
    return {split: _draw(name, split) for split in SPLITS}


def write(name, folder, force=False):
    """Write a data set into ``folder/name``: a file ``<split>.npy`` per split, and README.md.

    Args:
        name: "data_1" or "data_2".
        folder: the folder of the data sets; it is created if absent.
        force: whether to replace files whose content differs.

    Returns:
        List of `pathlib.Path`, the files.

    Raises:
        ValueError: a file exists with other content, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from cvae_keras.data.sinusoid import write
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in write("data_1", folder)]
        ['train.npy', 'validation.npy', 'score.npy', 'README.md']
    """
    contents, folder = _contents(name), expand(folder) / name
    differ = changed(name, folder.parent)
    if differ and not force:
        raise ValueError(f"{differ[0]} exists with other content; give force=True to replace.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            path = folder / file
            if path in differ or not path.exists():
                with replacing(path) as partial:
                    partial.write_bytes(content)
    except OSError as error:
        raise ValueError(f"folder {folder} cannot be written ({error.strerror}).") from error
    return [folder / file for file in contents]


def changed(name, folder):
    """The files of a data set that exist with other content, and that `write` would replace.

    Args:
        name: "data_1" or "data_2".
        folder: the folder of the data sets.

    Returns:
        List of `pathlib.Path`.

    Raises:
        ValueError: name is unknown, or what has the name of a file is none, or cannot be read.

    Example:
        >>> from cvae_keras.data.sinusoid import changed
        >>> changed("data_1", "a folder that is absent")
        []
    """
    folder = expand(folder) / name
    try:
        return [
            folder / file
            for file, content in _contents(name).items()
            if (folder / file).exists()
            and regular_file(folder / file, "a folder without it").read_bytes() != content
        ]
    except OSError as error:
        raise ValueError(f"folder {folder} cannot be read ({error.strerror}).") from error


def _contents(name):
    """File -> bytes of a data set."""
    contents = {f"{split}.npy": _npy(ends) for split, ends in generate(name).items()}
    return {**contents, "README.md": _readme(name).encode()}


def load(name, split, folder=None):
    """Read a split of a data set, as curves.

    Args:
        name: "data_1" or "data_2".
        split: "train", "validation" or "score".
        folder: the folder of the data sets; by default the repository's own, and if that is absent
            the examples are drawn again from their seeds.

    Returns:
        `(x, y)`, float32 `(n, 50, 2)` each; y is computed in float64.

    Raises:
        ValueError: the file is absent, truncated, or holds something else.

    Example:
        >>> from cvae_keras.data.sinusoid import load
        >>> x, y = load("data_1", "score")
        >>> x.shape, y.shape
        ((50, 50, 2), (50, 50, 2))
    """
    _check_name(name)
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; give one of {', '.join(SPLITS)}.")
    if folder is None:
        path = ROOT / name / f"{split}.npy"
        ends = _read(path, name) if path.exists() else _draw(name, split)
    else:
        ends = _read(expand(folder) / name / f"{split}.npy", name)
    x = TASKS[name].ramps(ends)
    return x.astype(np.float32), TASKS[name].forward(x).astype(np.float32)


def _check_name(name):
    if name not in tuple(TASKS):
        raise ValueError(f"name is {name!r}; give one of {', '.join(TASKS)}.")


def _draw(name, split):
    rng = np.random.default_rng(SEEDS[name][split])
    return TASKS[name].draw_ends(SPLITS[split], rng).astype(np.float32)


def _npy(ends):
    buffer = io.BytesIO()
    np.save(buffer, ends, allow_pickle=False)
    return buffer.getvalue()


def _read(path, name):
    try:
        ends = read_array(path)
    except ValueError as error:
        raise ValueError(
            f"{path} is absent, truncated or not a .npy file; regenerate it."
        ) from error
    if ends.ndim != 2 or ends.shape[1] != 4:
        raise ValueError(f"{path} has shape {np.shape(ends)}, not (n, 4); regenerate it.")
    if ends.dtype != np.float32:
        raise ValueError(f"{path} holds {ends.dtype}, not float32; regenerate it.")
    low, high = TASKS[name].box
    inside = np.all((ends >= low - 1e-6) & (ends <= high + 1e-6))  # False for NaN
    if not inside or np.any(ends[:, [0, 2]] > ends[:, [1, 3]]):
        raise ValueError(
            f"{path} holds ends that are not {low} <= lo <= hi <= {high}; regenerate it."
        )
    return ends


def _readme(name):
    y0, y1 = (f"{g}({p:g} x0 + {q:g} x1)" for g, p, q in TASKS[name].functions)
    rows = "\n".join(
        f"| {split}.npy | {count:,} | {SEEDS[name][split]} |" for split, count in SPLITS.items()
    )
    template = Path(__file__).with_name("sinusoid_readme.md").read_text(encoding="utf-8")
    return template.format(name=name, y0=y0, y1=y1, rows=rows)
