"""Low-rank factors and heads: what a task trains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lora:
    """A module's adapter, Delta = scale * B @ A. A: [rank, in], B: [out, rank], float32."""

    A: Float32
    B: Float32
    scale: float
    rank: int

    def __repr__(self) -> str:
        return f"<Lora of rank {self.rank}: A {list(self.A.shape)}, B {list(self.B.shape)}, scale {self.scale:.4g}>"

    def delta(self) -> Float32:
        """The task vector, [out, in]. Bit for bit what the merge used: summed in float64 over the rank in order, and rounded to float32 once."""
        rows = np.zeros((self.B.shape[0], self.A.shape[1]))
        for k in range(self.rank):
            rows += np.multiply.outer(self.B[:, k].astype(np.float64), self.A[k].astype(np.float64))
        return (self.scale * rows).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Head:
    """Logits of c classes. kind `linear`: weight @ features + bias; `cosine`: scale times the cosine of weight and features.

    weight: [c, features], bias: [c], float32.
    """

    weight: Float32
    bias: Float32
    classes: tuple[str, ...]
    kind: str = "linear"
    scale: float = 1.0

    def __repr__(self) -> str:
        names = ", ".join(self.classes[:6]) + (", ..." if len(self.classes) > 6 else "")
        return f"<Head {self.kind}: weight {list(self.weight.shape)}, bias {list(self.bias.shape)}, scale {self.scale:.4g}, of {names}>"


def add_scaled(weights: Float32, alpha: float, direction: Float32) -> Float32:
    """weights + alpha * direction, computed in float64 and rounded to float32, as every merge along a line is."""
    return (weights.astype(np.float64) + alpha * direction.astype(np.float64)).astype(np.float32)
