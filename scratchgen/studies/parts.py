"""Save the finished parts of a study one by one, so that a study that was killed can be continued."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scratchgen import __version__
from scratchgen.data.files import write_json
from scratchgen.data.records import read_json


class Parts:
    """The parts of one study, each in its own file. Remove them once the results of the study are saved.

    folder   : the folder of the files
    settings : the settings on which all parts depend. A part that was saved with other settings is not used
    """

    def __init__(self, folder: Path, **settings: Any):
        self.folder, self.settings = folder, {"version": __version__, **settings}

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """The part of that name, a JSON value that is read from its file, or measured and saved.

        Raises ValueError, with the name of the file, if it is damaged.
        """
        path = self.folder / f"{re.sub('[^a-zA-Z0-9]+', '-', name)}.json"
        key = {"part": name, **self.settings}
        if path.is_file():
            try:
                found = read_json(path)
                if found["settings"] == key:
                    return found["value"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path} is damaged ({error}); delete it to measure it again") from None
        value = measure()
        write_json(path, {"settings": key, "value": value})
        return value

    def remove(self) -> None:
        """Remove all parts."""
        shutil.rmtree(self.folder, ignore_errors=True)
