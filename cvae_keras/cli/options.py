"""Options that several commands take, and the types of their values."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import keras

from cvae_keras.files import expand, read_json


class AnyPath(click.Path):
    """A path, with the home folder in place of a leading `~`.

    A shell replaces `--out ~/runs`, but not `--out=~/runs`.

    Example:
        >>> AnyPath().convert("~/runs", None, None) == Path.home() / "runs"
        True
    """

    def __init__(self, **kinds):
        super().__init__(path_type=Path, **kinds)

    def convert(self, value, param, ctx):
        return super().convert(expanded(self, value, param, ctx), param, ctx)


def expanded(kind, value, param, ctx):
    """`cvae_keras.files.expand` of a value, whose error names the option."""
    try:
        return expand(value)
    except ValueError as error:
        kind.fail(str(error), param, ctx)


PATH = AnyPath()
COUNT = click.IntRange(min=1)


def backend(command):
    """`--backend`: the command runs again on that one, if Keras has been imported with another."""

    def choose(ctx, param, value):
        if value is None or value == keras.backend.backend():
            return
        if find_spec(value) is None:
            raise click.BadParameter(
                f"{value} is not installed: pip install 'cvae-keras[{value}]'.", ctx, param
            )
        environment = {**os.environ, "KERAS_BACKEND": value}
        os.execve(sys.executable, [sys.executable, "-m", "cvae_keras", *sys.argv[1:]], environment)

    return click.option(
        "--backend",
        type=click.Choice(["tensorflow", "jax", "torch"]),
        callback=choose,
        expose_value=False,
        is_eager=True,
        help="Of Keras.  [default: KERAS_BACKEND, or what keras.json says]",
    )(command)


class Part(click.ParamType):
    """`i/n`, the i-th of n shares of some work, as `(i, n)`.

    Whether 1 <= i <= n holds is left to `cvae_keras.checks.check_part`.

    Example:
        >>> Part().convert("1/2", None, None)
        (1, 2)
    """

    name = "i/n"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            index, parts = (int(number) for number in value.split("/"))
        except ValueError:
            self.fail(f"{value!r} is not i/n; give for instance 1/2.", param, ctx)
        return index, parts


class Name(click.ParamType):
    """The name of a folder, which is no path and so stays within the folder of results.

    Example:
        >>> Name().convert("first", None, None)
        'first'
    """

    name = "name"

    def convert(self, value, param, ctx):
        if not value or value.startswith(".") or set(value) & set("/\\\0"):
            self.fail(f"{value!r} is not a name; leave out dots in front and slashes.", param, ctx)
        expanded(self, value, param, ctx)
        return value


class Functions(click.ParamType):
    """Two functions of a sinusoid task, `sin,7,2 cos,3,9`, as a `SinusoidTask`.

    Example:
        >>> Functions().convert("sin,7,2 cos,3,9", None, None).functions
        (('sin', 7.0, 2.0), ('cos', 3.0, 9.0))
    """

    name = "'sin,p,q cos,p,q'"

    def convert(self, value, param, ctx):
        from cvae_keras.data.sinusoid import SinusoidTask

        if isinstance(value, SinusoidTask):
            return value
        try:
            parts = [function.split(",") for function in value.split()]
            return SinusoidTask([(name, float(p), float(q)) for name, p, q in parts])
        except ValueError as error:
            self.fail(f"{value!r} is not as 'sin,7,2 cos,3,9': {error}", param, ctx)


class JsonFile(AnyPath):
    """A JSON file with an object in it, as a dictionary.

    Example:
        ```python
        click.option("--options", type=JsonFile())
        ```
    """

    name = "file"

    def __init__(self):
        super().__init__(exists=True, dir_okay=False)

    def convert(self, value, param, ctx):
        if isinstance(value, dict):
            return value
        path = super().convert(value, param, ctx)
        try:
            content = read_json(path, object)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not isinstance(content, dict):
            self.fail(f"{path} does not hold a JSON object; write it in {{ }}.", param, ctx)
        return content


def combine(*decorators):
    """One decorator of several options, which `--help` lists in the order given.

    Example:
        ```python
        shared = combine(seed, out("results"))
        ```
    """

    def decorate(command):
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def out(default, what="Folder"):
    """`--out`, a path; None stands for the default, which is only shown."""
    return click.option("--out", type=PATH, help=f"{what}  [default: {default}]")


def quick(help):
    """`--quick`, a flag."""
    return click.option("--quick", is_flag=True, help=help)


def data_dir(help):
    """`--data-dir`, a folder of data files."""
    return click.option("--data-dir", type=PATH, help=help)


def part(help):
    """`--part`, as `(i, n)`; `(1, 1)` without it."""
    return click.option("--part", type=Part(), default="1/1", help=help)


def task(required=True):
    """`--task`, the number of a sinusoid task."""
    shown = None if required else "[default: both]"
    return click.option("--task", type=click.Choice([1, 2]), required=required, help=shown)


solution = click.option(
    "--model",
    type=click.Choice(["mixture", "conv"]),
    default="mixture",
    show_default=True,
    help="The mixture density network, or the Conv1D CVAE.",
)
seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
precision = click.option(
    "--precision", type=click.Choice(["float32", "mixed_bfloat16"]), default="float32"
)
