"""Griffe extension: the sections of docstrings, by the names that its Google parser knows."""

import re

from griffe import Extension

SECTIONS = {
    r"^Example:$": "Examples:",
    r"^Call arguments:$": "Args: Call arguments",
}


class Sections(Extension):
    """Renames the sections before docstrings are parsed."""

    def on_object(self, *, obj, **_):
        if obj.docstring:
            for pattern, name in SECTIONS.items():
                obj.docstring.value = re.sub(pattern, name, obj.docstring.value, flags=re.MULTILINE)
