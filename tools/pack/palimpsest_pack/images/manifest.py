"""A CSV (or TSV) manifest: columns path, label and, where the split is known, split."""

import csv
import os

from .. import InputError
from .listing import SIDES, Listing, Sample, shown


def read(path):
    """The samples of a manifest; its paths are relative to its folder."""
    delimiter = "\t" if str(path).lower().endswith(".tsv") else ","
    try:
        with open(path, encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
            return Listing(_samples(path, csv.DictReader(file, delimiter=delimiter)), None, [])
    except csv.Error as error:
        raise InputError(f"{shown(path)}: expected CSV, found {error}") from None


def _samples(path, rows):
    columns = rows.fieldnames or []
    if not {"path", "label"} <= set(columns):
        raise InputError(
            f"{shown(path)}, line 1: expected the columns path,label or path,label,split, found "
            f"{shown(','.join(columns)) or 'an empty file'}"
        )
    folder = os.path.dirname(os.path.abspath(path))
    samples = []
    for row in rows:
        line = f"{shown(path)}, line {rows.line_num}"
        if not row["path"] or not row["label"]:
            raise InputError(f"{line}: expected a path and a label, found an empty field")
        file = os.path.join(folder, row["path"])
        place = f"{line}: {shown(row['path'])}"
        samples.append(Sample(place, file, row["label"], _side(line, columns, row)))
    return samples


def _side(line, columns, row):
    if "split" not in columns:
        return None
    text = (row["split"] or "").strip().lower()
    if text not in SIDES:
        raise InputError(f"{line}: expected a split of {', '.join(SIDES)}, found {text!r}")
    return SIDES[text]
