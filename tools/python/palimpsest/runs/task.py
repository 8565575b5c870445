"""What one task left behind: tasks/task-0000.h5."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..counted import counted
from ..errors import InputError
from .adapter import Float32, Head, Lora
from .evaluations import Row, read_row
from .record import Lazy, Objects, Record

Float64 = NDArray[np.float64]
Number = float | None


@dataclass(frozen=True, eq=False)
class Merge:
    """How the task was merged.

    rule: the name of the rule and the keys that were given. coefficients: one for all modules; one per module, in order; or one per direction, module
    after module. module_numerators, module_denominators: [modules], of the closed form. weights_before, weights_after: SHA-256 of the difference between
    the merged and the pretrained weights (float32, all modules in order, row-major).
    """

    rule: dict[str, Any]
    remark: str
    coefficients: Float64
    alpha_unclamped: Number
    numerator: Number
    denominator: Number
    module_numerators: Float64 | None = field(repr=False)
    module_denominators: Float64 | None = field(repr=False)
    weights_before: str
    weights_after: str

    @property
    def alpha(self) -> Number:
        """Mean of the coefficients; None if nothing was merged."""
        if self.coefficients.size == 0:
            return None
        total = 0.0
        for coefficient in self.coefficients.tolist():
            total += coefficient
        return total / self.coefficients.size


class Fisher(Mapping[str, Float32]):
    """The diagonal Fisher of each module's Delta, [out, in]: a mean over samples, unscaled. `factor`: its factor in S0 and S1."""

    def __init__(self, values: Lazy[Float32], attributes: dict[str, Any]) -> None:
        self._values = values
        self.kind: str = attributes["kind"]
        self.samples: int = attributes["samples"]
        self.transform: str = attributes["transform"]
        self.scale: str = attributes["scale"]
        self.factor: float = attributes["factor"]

    def __getitem__(self, module: str) -> Float32:
        return self._values[module]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        samples, modules = counted(self.samples, "sample"), counted(len(self), "module")
        return f"<Fisher {self.kind} over {samples}, scale {self.scale}, factor {self.factor:.4g}, of {modules}>"


class Task:
    """One finished task of a run, counted from 0. Everything is read when it is used, and arrays are read again each time.

    Every property raises InputError with the file and the object if the record is missing or damaged.
    """

    def __init__(self, record: Record, index: int) -> None:
        self._record = record
        self.index = index

    @property
    def path(self) -> str:
        return self._record.path

    @cached_property
    def _identity(self) -> dict[str, Any]:
        with self._record.opened() as objects:
            found = objects.attributes("/task")
            classes = objects.texts("/task/classes")
        if found.get("index") != self.index:
            raise InputError(f"{self.path}: /task@index: expected {self.index}, found {found.get('index')}. The file belongs to another task")
        return found | {"classes": classes}

    @property
    def name(self) -> str:
        return str(self._identity["name"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the head's outputs."""
        return tuple(self._identity["classes"])

    @property
    def samples(self) -> int:
        """Number of training samples."""
        return int(self._identity["train_samples"])

    @property
    def seed(self) -> int:
        return int(self._identity["seed"])

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings that affect the results, from the record."""
        with self._record.opened() as objects:
            return dict(objects.json("/config"))

    @cached_property
    def _modules(self) -> list[str]:
        with self._record.opened() as objects:
            return objects.names("/lora")

    def _read_lora(self, module: str) -> Lora:
        with self._record.opened() as objects:
            place = f"/lora/{module}"
            attributes = objects.attributes(place)
            lora = Lora(objects.array(f"{place}/A"), objects.array(f"{place}/B"), float(attributes["scale"]), int(attributes["rank"]))
        if lora.A.shape[0] != lora.rank or lora.B.shape[1:] != (lora.rank,):
            raise InputError(f"{self.path}: {place}: expected A [rank, in] and B [out, rank] of rank {lora.rank}, found {lora.A.shape} and {lora.B.shape}")
        return lora

    @property
    def lora(self) -> Lazy[Lora]:
        """The factors by module; empty if no adapter was trained."""
        return Lazy(lambda: self._modules, self._read_lora, "LoRA factors")

    @property
    def delta(self) -> Lazy[Float32]:
        """The task vector by module, [out, in] float32, computed from the factors when it is read."""
        return Lazy(lambda: self._modules, lambda module: self._read_lora(module).delta(), "task vectors")

    @cached_property
    def fisher(self) -> Fisher | None:
        """The task's Fisher; None if the run measures none."""
        with self._record.opened() as objects:
            if not objects.has("/fisher"):
                return None
            attributes = objects.attributes("/fisher")
            names = objects.names("/fisher")
        missing = {"kind", "samples", "transform", "scale", "factor"} - set(attributes)
        if missing:
            raise InputError(f"{self.path}: /fisher: the attributes {', '.join(sorted(missing))} are missing. The file is damaged")
        return Fisher(Lazy(lambda: names, self._read_fisher, "Fishers"), attributes)

    def _read_fisher(self, module: str) -> Float32:
        with self._record.opened() as objects:
            return objects.array(f"/fisher/{module}")

    @cached_property
    def merge(self) -> Merge:
        with self._record.opened() as objects:
            attributes = objects.attributes("/merge")
            return Merge(
                rule=objects.json("/merge/rule"),
                remark=objects.text("/merge/remark"),
                coefficients=_optional_array(objects, "/merge/coefficients", np.empty(0)),
                alpha_unclamped=attributes.get("alpha_unclamped"),
                numerator=attributes.get("numerator"),
                denominator=attributes.get("denominator"),
                module_numerators=_optional_array(objects, "/merge/module_numerators", None),
                module_denominators=_optional_array(objects, "/merge/module_denominators", None),
                weights_before=objects.attribute("/merge", "weights_before"),
                weights_after=objects.attribute("/merge", "weights_after"),
            )

    @property
    def head(self) -> Head:
        """The head as the task trained it."""
        with self._record.opened() as objects:
            attributes = objects.attributes("/head")
            return Head(
                objects.array("/head/weight"), objects.array("/head/bias"), self.classes, attributes.get("kind", "linear"), attributes.get("scale", 1.0)
            )

    @cached_property
    def metrics(self) -> dict[str, Number]:
        """Losses in nats (of the first step, the last pass, at theta_hat_{t-1} and at theta_t*) and the merge's rise of the loss; None where not measured."""
        with self._record.opened() as objects:
            found = objects.attributes("/metrics")
        found.pop("classifier", None)
        return {"rise_predicted": None, "rise_measured": None} | found

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Seconds spent in train, fisher, merge and evaluate."""
        with self._record.opened() as objects:
            found = objects.attributes("/metrics/seconds")
        return {name: found[name] for name in ("train", "fisher", "merge", "evaluate") if name in found}

    @cached_property
    def modules(self) -> pd.DataFrame:
        """A row for each adapted module: out, in, rank, scale, norms of A, B and Delta, the Fisher's mass (its sum, unscaled), and coefficients of the merge.

        alpha: the one that was used, NaN where there is none for the module as a whole. own_alpha: the closed form of the module alone, NaN by other rules.
        """
        with self._record.opened() as objects:
            has_any = objects.has("/stats/modules")
            names = objects.texts("/stats/modules") if has_any else ()
            shapes = objects.array("/stats/shape") if has_any else np.empty((0, 3), np.int64)
            columns = {name: shapes[:, i] for i, name in enumerate(("out", "in", "rank"))}
            for name in ("scale", "norm_a", "norm_b", "norm_delta", "fisher_mass"):
                columns[name] = objects.array(f"/stats/{name}") if has_any else np.empty(0)
        unknown = np.full(len(names), np.nan)
        merge = self.merge
        is_by_module = len(merge.coefficients) in (1, len(names))
        columns["alpha"] = np.broadcast_to(merge.coefficients, len(names)) if is_by_module else unknown
        columns["own_alpha"] = unknown
        if merge.module_numerators is not None and merge.module_denominators is not None and len(merge.module_numerators) == len(names):
            columns["own_alpha"] = merge.module_numerators / merge.module_denominators
        return pd.DataFrame(columns, index=pd.Index(names, name="module", dtype=str))

    @property
    def classifier(self) -> str:
        """The run's own classifier, which the results are for; "" in records before version 2.1, which don't name it."""
        with self._record.opened() as objects:
            return str(objects.attribute("/metrics", "classifier")) if objects.has_attribute("/metrics", "classifier") else ""

    def evaluation(self, before_merge: bool = False) -> Row:
        """The evaluation after this task by the run's own classifier, over all tasks seen."""
        with self._record.opened() as objects:
            return read_row(objects, f"/metrics/{'before' if before_merge else 'after'}_merge", self.index + 1)

    def __repr__(self) -> str:
        from .show import task_text

        return task_text(self)

    def _repr_html_(self) -> str:
        from .show import task_html

        return task_html(self)


def _optional_array(objects: Objects, name: str, otherwise: Any) -> Any:
    return objects.array(name) if objects.has(name) else otherwise
