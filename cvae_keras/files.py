"""Results on disk: folders, files that are complete or absent, JSON, manifests and tables."""

import importlib
import json
import os
import platform
import stat
import threading
import zipfile
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import numpy as np
from tabulate import DataRow, TableFormat

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = (_PACKAGE / "shipped").is_dir()  # from a wheel, which brings the models along

#: The repository, or the working directory where the package is installed without one.
ROOT = Path() if _INSTALLED else _PACKAGE.parent
#: Where commands write.
RESULTS = ROOT / "results"
#: The models that are shipped.
MODELS = _PACKAGE / "shipped" if _INSTALLED else RESULTS / "models"
#: In each folder that a command writes: what the folder holds.
MARKER = ".cvae_keras.json"
MARKED = "cvae_keras folder 1"
LARGEST = 256 * 2**20  # bytes of a JSON file that is read
NAME_BYTES, PATH_BYTES = 255, 3800  # of a file name, and of a path that leaves room for one
UNPACKED = 2**30  # bytes that any archive may take in memory,
DEPTH = 64  # levels of lists and dictionaries in a JSON file
RATIO = 100  # and how many times its own size a larger one may take
#: Markdown without padding: where one number changes, one line of the file changes.
UNPADDED = TableFormat(
    lineabove=None,
    linebelowheader=lambda widths, alignments: "|" + "---|" * len(widths),
    linebetweenrows=None,
    linebelow=None,
    headerrow=DataRow("|", "|", "|"),
    datarow=DataRow("|", "|", "|"),
    padding=1,
    with_header_hide=None,
)


def expand(path):
    """A path with the home folder in place of a leading `~`, as a shell would read it.

    Args:
        path: any path.

    Returns:
        It as a `pathlib.Path`.

    Raises:
        ValueError: it begins with the name of a user who has no home folder, no file can have such
            a name, or it lies in a folder that this user may not enter.

    Example:
        >>> expand("~/runs") == Path.home() / "runs"
        True
    """
    path = Path(path)
    _check_name(path)
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"{path} begins with the home folder of an unknown user: write the path in full, or "
            f"./{path} for a folder of that name."
        ) from error
    try:
        path.stat()
    except PermissionError as error:
        raise ValueError(
            f"{path} lies in a folder that may not be entered: change the permissions of that, or "
            f"name another."
        ) from error
    except OSError:
        pass  # it is absent, or what reads or writes it says more
    return path


def _check_name(path):
    """Refuse a path that no file can have: the system's own errors come late, or name nothing."""
    text = str(path)
    if "\0" in text:
        raise ValueError(f"{text[:80]} holds a null character: name another file or folder.")
    try:
        # strict: Python reads a name of other bytes as text that no file can hold
        longest = max((len(part.encode("utf-8")) for part in path.parts), default=0)
    except UnicodeError as error:
        raise ValueError(
            f"{text[:80]!r} is no text in UTF-8: name another file or folder."
        ) from error
    if longest > NAME_BYTES or len(text.encode("utf-8")) > PATH_BYTES:
        raise ValueError(
            f"{text[:80]}... is too long for a file or folder: a name may have {NAME_BYTES} bytes, "
            f"and a path {PATH_BYTES}; choose a shorter one."
        )


@contextmanager
def replacing(path):
    """Context in which a new file is written beside `path`, which it replaces when complete.

    The new file is flushed to the disk and then renamed: whenever the process is killed, `path` is
    the old file or the new one. A link of that name is replaced, and what it points to is kept.

    Args:
        path: of the file, in a folder that exists.

    Returns:
        Context manager of the `pathlib.Path` to write to, with the ending of `path`.

    Raises:
        OSError: it cannot be written. `path` is then as it was.

    Example:
        ```python
        with replacing("runs/figure.png") as path:
            figure.savefig(path)
        ```
    """
    path = expand(path)
    partial = path.with_name(f".partial-{path.name[-60:]}")  # not longer than a name may be
    try:
        partial.unlink(missing_ok=True)  # a link there must not be written through
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:  # a full disk
            error.filename = str(path)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder):
    """Flush the names in a folder to the disk, where the system can do so."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def claim(folder, content, older=False):
    """Create a folder for `content`, or make sure that it was created so, before writing to it.

    A marker, the file `.cvae_keras.json`, says that a folder was written by this package, and what
    it holds.

    Args:
        folder: it may be absent, or hold nothing but hidden files and folders with a marker.
        content: what will be written there, for instance "search".
        older: whether a folder without a marker is known to be ours, from before there were any.

    Returns:
        It as a `pathlib.Path`.

    Raises:
        ValueError: it holds files of others, or something else of ours, or cannot be written.

    Example:
        ```python
        folder = claim("runs/baseline", "testbed")
        ```
    """
    folder = open_folder(folder)
    if marked(folder) is None:
        others = [path for path in folder.iterdir() if not path.name.startswith(".")]
        files = sorted(path.name for path in others if marked(path) is None)
        if files and not older and marked(folder) is None:  # another process may just have claimed
            raise ValueError(
                f"folder {folder} holds {files[0]!r} and was not written by cvae_keras (it has no "
                f"{MARKER}): name an empty folder."
            )
        _create(folder / MARKER, {"format": MARKED, "content": content})
    held = marked(folder)
    if held != content:
        raise ValueError(f"folder {folder} holds a {held}, not a {content}: name another folder.")
    return folder


def _create(path, content):
    """Write a JSON file unless there is one: of several processes at once, one writes it."""
    partial = path.with_name(f".partial-{os.getpid()}-{threading.get_ident()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)  # fails where there is one, which renaming would replace
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _flush_folder(path.parent)


def marked(folder):
    """What a folder holds by its marker.

    Args:
        folder: any path.

    Returns:
        The content that `claim` was given; None where there is no marker.

    Raises:
        ValueError: the marker is damaged.

    Example:
        >>> marked("a folder that is absent") is None
        True
    """
    path = expand(folder) / MARKER
    if not path.is_file():
        return None
    found = read_json(path)
    if found.get("format") != MARKED or not isinstance(found.get("content"), str):
        raise ValueError(f"{path} is damaged: name another folder, or restore the file.")
    return found["content"]


def delete(path, folder):
    """Delete a file that lies in a folder of ours; links on the way there are not followed.

    Args:
        path: of the file; nothing happens where it is absent.
        folder: which contains it, at any depth.

    Raises:
        ValueError: the file is outside the folder, or reached through a link.

    Example:
        ```python
        delete(folder / "trials" / "3.keras", folder)
        ```
    """
    path, folder = expand(path), expand(folder)
    inner = path.relative_to(folder).parts[:-1]
    way = [folder.joinpath(*inner[: depth + 1]) for depth in range(len(inner))]
    if ".." in inner or any(step.is_symlink() for step in way):
        raise ValueError(f"{path} is reached through a link out of {folder}: remove the link.")
    path.unlink(missing_ok=True)


def open_folder(path):
    """Create the folder `path` if it is missing, and make sure that it can be read and written.

    Args:
        path: a folder.

    Returns:
        It as a `pathlib.Path`.

    Raises:
        ValueError: it is a file, or cannot be read or written.

    Example:
        ```python
        folder = open_folder("results")
        ```
    """
    path = expand(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"folder {path} cannot be made ({error.strerror}): name another."
        ) from error
    for mode, what in ((os.W_OK, "written"), (os.R_OK | os.X_OK, "read")):
        if not os.access(path, mode):
            raise ValueError(
                f"folder {path} cannot be {what}: change its permissions or name another."
            )
    return path


def regular_file(path, what="a file"):
    """The path of a file that can be opened and read to its end.

    Args:
        path: any path.
        what: the file should be, for the error.

    Returns:
        It as a `pathlib.Path`.

    Raises:
        ValueError: it is absent, a folder, a device or pipe, reading from which may never end, or
            may not be read.

    Example:
        ```python
        text = regular_file("table.csv", "a .csv file").read_text()
        ```
    """
    path = expand(path)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ValueError(f"{path} is not a file: name {what}.") from error
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is a folder, a device or a pipe: name {what}.")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read: change its permissions, or name another file.")
    return path


def check_archive(path, what="a zip archive"):
    """The names in a zip archive, once it is known to be whole and of moderate size unpacked.

    Args:
        path: of the file.
        what: it should be, for the error.

    Returns:
        List of the names of its members.

    Raises:
        ValueError: no regular file, no archive, a damaged or encrypted one, or one whose members
            take more than 1 GiB and 100 times the size of the file.

    Example:
        ```python
        names = check_archive("model.keras", "a .keras file")
        ```
    """
    path = regular_file(path, what)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > max(UNPACKED, RATIO * path.stat().st_size):
                raise ValueError(f"it takes {size:,} bytes unpacked")
            names = [member.filename for member in members]
            if not names or len(set(names)) < len(names):
                raise ValueError("it is empty, or holds a name twice")
            if damaged := archive.testzip():
                raise ValueError(f"{damaged!r} in it is damaged")
    except Exception as error:  # zipfile has no common one: some ten types for damaged headers
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as {what} ({' '.join(reason.split())}): restore it, or name "
            f"another file."
        ) from error
    return names


def manifest(config, seconds):
    """What a result came from: configuration, versions, seconds of wall time.

    Keras and its backend are imported when it is called, not with this module.

    Args:
        config: dictionary of plain values, the seed among them.
        seconds: wall time of the run.

    Returns:
        Dictionary that `json` can write.

    Example:
        >>> manifest({"seed": 0}, 1.5)["config"]
        {'seed': 0}
    """
    import keras

    backend = keras.backend.backend()
    versions = {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
    if backend != "numpy":
        versions[backend] = importlib.import_module(backend).__version__
    return {
        "config": config,
        "seconds": round(seconds, 1),
        "backend": backend,
        "versions": versions,
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
    }


def write_json(path, content):
    """Write a JSON file, see `replacing`.

    Args:
        path: of the file.
        content: dictionary or list of plain or NumPy values.

    Raises:
        TypeError: a value that is neither plain nor of NumPy.

    Example:
        ```python
        write_json("runs/row.json", {"error": np.float32(0.5)})
        ```
    """
    write_text(path, json.dumps(content, indent=1, default=_plain) + "\n")


def read_json(path, kind=dict):
    """Read a JSON file.

    Args:
        path: of the file.
        kind: type that it must hold, `dict` or `list`.

    Returns:
        Its content.

    Raises:
        ValueError: it is absent, larger than 256 MiB, not JSON, nested too deeply, or holds another
            type.

    Example:
        ```python
        row = read_json("runs/row.json")
        ```
    """
    path = regular_file(path, "a JSON file")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST:,} bytes: name another file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name another.") from error
    return parse_json(content, path, kind)


def parse_json(text, path, kind=dict):
    """Read JSON that lies in a file.

    Args:
        text: the JSON, as bytes in UTF-8.
        path: of the file, for the error.
        kind: type that it must hold, `dict` or `list`.

    Returns:
        Its content.

    Raises:
        ValueError: it is not JSON, nested too deeply, or holds another type.

    Example:
        >>> parse_json(b'{"error": 0.5}', "row.json")
        {'error': 0.5}
    """
    try:
        content = json.loads(text.decode("utf-8"))
        _check_depth(content)
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply: restore it, or delete it.") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, an integer of 4,300 digits
        raise ValueError(f"{path} is not JSON ({error}): restore it, or delete it.") from error
    if not isinstance(content, kind):
        raise ValueError(
            f"{path} holds a {type(content).__name__}, not a {kind.__name__}: restore it, or "
            f"delete it."
        )
    return content


def _check_depth(content):
    """Raise RecursionError where lists and dictionaries lie deeper in each other than `DEPTH`."""
    level = [content]
    for _ in range(DEPTH):
        level = [part for part in level if isinstance(part, (dict, list))]
        level = [
            each for part in level for each in (part.values() if isinstance(part, dict) else part)
        ]
    if level:
        raise RecursionError


def _plain(value):
    """A NumPy value as `json` can write it."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: give plain values.")


def saved_result(path, config, upgrade=None):
    """What `write_json` wrote for this configuration, so that it need not be run again.

    Args:
        path: of the file.
        config: what its manifest must say.
        upgrade: None, or a function of the configuration in the file that returns it as the
            present version of the code writes it.

    Returns:
        The dictionary, or None where there is no file or it is of another configuration.

    Raises:
        ValueError: the file is damaged.

    Example:
        ```python
        saved = saved_result("runs/row.json", {"seed": 0})
        ```
    """
    path = expand(path)
    if not path.exists():
        return None
    saved = read_json(path)
    try:
        float(saved["manifest"]["seconds"])
        found = saved["manifest"]["config"]
        found = upgrade(found) if upgrade else found
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no manifest of a run: restore it, or delete it.") from error
    return saved if found == config else None


def fill_template(package, name, /, **values):
    """A Markdown template that comes with the package, with its placeholders filled in.

    Args:
        package: name of a package, which has the template in its folder `notes`.
        name: of the template, without its ending.
        values: of the placeholders, as for `str.format`.

    Returns:
        The text.

    Raises:
        KeyError: a placeholder without a value.

    Example:
        ```python
        notes = fill_template("cvae_keras.experiments", "solved", curves=1000)
        ```
    """
    return (resources.files(package) / "notes" / f"{name}.md").read_text().format(**values)


def markdown(frame):
    """A table in Markdown, four significant digits a number, nothing where a number is missing.

    Args:
        frame: a pandas DataFrame.

    Returns:
        The text.

    Example:
        >>> import pandas as pd
        >>> print(markdown(pd.DataFrame({"data": ["mnist"], "kl": [1 / 3]})))
        | data | kl |
        |---|---|
        | mnist | 0.3333 |
    """
    shown = frame.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value)
    shown = shown.astype(str).replace("nan", "")
    return shown.to_markdown(index=False, tablefmt=UNPADDED, stralign=None, disable_numparse=True)


def write_text(path, text):
    """Write a text file, see `replacing`.

    Args:
        path: of the file.
        text: its content.

    Example:
        ```python
        write_text("runs/summary.md", "# Summary")
        ```
    """
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(frame, path, digits=6):
    """Write a table as CSV, see `replacing`.

    Args:
        frame: a pandas DataFrame.
        path: of the file.
        digits: significant digits of a number.

    Example:
        ```python
        write_csv(frame, "runs/measured.csv")
        ```
    """
    with replacing(path) as partial:
        frame.to_csv(partial, index=False, float_format=f"%.{digits}g")


def write_table(frame, path, title, notes):
    """Write a table as CSV and as Markdown.

    Args:
        frame: a pandas DataFrame.
        path: file name without its ending.
        title: heading of the Markdown file.
        notes: text below its table.

    Returns:
        The Markdown text.

    Example:
        ```python
        text = write_table(frame, "results/example", "Example", "kl: in nats.")
        ```
    """
    path = expand(path)
    write_csv(frame, path.with_suffix(".csv"))
    text = f"# {title}\n\n{markdown(frame)}\n\n{notes.strip()}\n"
    write_text(path.with_suffix(".md"), text)
    return text
