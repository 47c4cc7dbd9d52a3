"""The commands at a terminal: errors of one sentence, and tables that fit."""

import sys

import click

from cvae_keras.checks import RunError

SETTING = ["row", "reduction", "loss", "beta", "wx", "wy", "latent"]
LOSSES, SCORES = ["kl", "x_loss", "y_loss"], ["residual", "precision", "recall"]
#: The columns of a test-case table that fit a terminal, and their headings there.
COLUMNS = {name: name for name in SETTING + LOSSES} | {"active_units": "active"}
COLUMNS |= {name: name for name in SCORES} | {"total_variation": "TV"}


#: The systems' own names, for commands that have older ones; and what was renamed.
ALIASES = {"dense": "testbed", "auto_decoder": "vad", "compression": "embedding", "demo": "quick"}


class SystemGroup(click.Group):
    """A group of commands that also knows those of a system by the system's own name.

    Example:
        ```python
        @click.group(cls=SystemGroup)
        def table(): ...
        ```
    """

    def get_command(self, ctx, name):
        return super().get_command(ctx, name) or super().get_command(ctx, ALIASES.get(name, name))


class OneSentence(SystemGroup):
    """A group of commands that answers bad input with one sentence, never with a traceback.

    Exit codes: 2 for what the user gave wrong, an option or a file (`click.ClickException`,
    `ValueError`, `TypeError`); 1 for what went wrong while running (`RunError`, `OSError`,
    `MemoryError`, `EOFError`); 130 for Ctrl-C. A reader that closes the pipe ends a command without
    a word.

    Example:
        ```python
        @click.group(cls=OneSentence)
        def main(): ...
        ```
    """

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except EOFError as error:  # click takes it for Ctrl-C
            raise RunError(f"a file or the input ended too early ({error}).") from error

    def main(self, *args, **kwargs):
        try:
            sys.exit(super().main(*args, **{**kwargs, "standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _stop(error.format_message(), 2)
        except click.Abort:  # Ctrl-C
            _stop("stopped; the same command continues with what is not done yet.", 130)
        except RunError as error:
            _stop(str(error), 1)
        except OSError as error:
            _stop(f"{error.filename or 'a file'}: {error.strerror or error}.", 1)
        except MemoryError as error:
            _stop(f"memory is exhausted: {str(error) or 'no more was given'}.", 1)
        except (ValueError, TypeError) as error:
            _stop(str(error), 2)


def _stop(message, code):
    """End with a sentence on a line of its own, below the progress bars that are still open."""
    if "tqdm" in sys.modules:
        bars = getattr(sys.modules["tqdm"].tqdm, "_instances", ())
        for bar in sorted(bars, key=lambda bar: abs(bar.pos)):
            bar.leave = True  # the line ends
            bar.close()
    click.echo(f"cvae-keras: {' '.join(message.split())}", err=True)
    sys.exit(code)


def show_table(path):
    """Print the main columns of a test-case table, and where its files are.

    Args:
        path: of the table, without its ending, as for `cvae_keras.files.write_table`.

    Example:
        ```python
        show_table("results/sinusoid_test_cases")
        ```
    """
    import pandas as pd

    rows = pd.read_csv(f"{path}.csv")[list(COLUMNS)].rename(columns=COLUMNS)
    formats = {"active": "{:.0f}".format, **dict.fromkeys([*SCORES, "TV"], "{:.3f}".format)}
    text = rows.to_string(index=False, float_format="{:.3g}".format, formatters=formats)
    click.echo(f"\n{text}\n\nFiles: {path}.csv, {path}.md")
