"""What a search asked for and what it got, one line an event: all that a resumed search needs."""

import json
import math
import os
from pathlib import Path


class Journal:
    """A file of events, one JSON object a line, that only ever grows.

    A process that is killed leaves at most an incomplete last line; opening it again drops that.

    Args:
        path: of the file; made when the first event comes.

    Raises:
        ValueError: a line other than the last is no JSON.

    Example:
        >>> journal = Journal("runs/journal.jsonl")
        >>> journal.append({"event": "open"})
        >>> journal.events
        [{'event': 'open'}]
    """

    def __init__(self, path):
        self.path = Path(path)
        content = self.path.read_bytes() if self.path.exists() else b""
        complete = content[: content.rfind(b"\n") + 1]
        if len(complete) < len(content):
            os.truncate(self.path, len(complete))
        try:
            self.events = [json.loads(line) for line in complete.splitlines()]
        except ValueError as error:
            raise ValueError(
                f"{self.path} is damaged ({error}): start the search anew in another folder."
            ) from error

    def append(self, event):
        """Write one event, so that it stays even if the process ends now; NaN is written null."""
        line = json.dumps(_without_nan(event), allow_nan=False) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.events.append(json.loads(line))


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
