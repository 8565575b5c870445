"""metrics.jsonl: what a run reported during training."""

import json
import os
import warnings

import pandas as pd

from ..counted import form

LAST_SECOND = int(pd.Timestamp.max.timestamp())
EMPTY = pd.DataFrame({"event": pd.Series(dtype=str), "time": pd.Series(dtype="datetime64[ns, UTC]")})


def read_log(path: str) -> pd.DataFrame:
    """One row per event, one column per field. `time` is in UTC, and missing if the line has none. Empty if the file is missing.

    Lines that are not JSON objects are skipped with a warning that lists their numbers, except for a last line that is still being written.
    """
    if not os.path.exists(path):
        return EMPTY.copy()
    events, damaged = [], []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                event = json.loads(line)
            except (RecursionError, ValueError):
                event = None
            if isinstance(event, dict):
                events.append(event)
            elif line.endswith("\n"):
                damaged.append(str(number))
    if damaged:
        warnings.warn(f"{path}: skipped, because not JSON objects: {form(len(damaged), 'line', 'lines')} {', '.join(damaged)}", stacklevel=3)
    if not events:
        return EMPTY.copy()
    frame = pd.DataFrame(events)
    if "time" not in frame:
        frame["time"] = float("nan")
    seconds = pd.to_numeric(frame["time"], errors="coerce")
    # pandas can't represent other times, and version 2 raises OverflowError whatever `errors` says.
    frame["time"] = pd.to_datetime(seconds.where(seconds.between(0, LAST_SECOND)), unit="s", utc=True)
    return frame
