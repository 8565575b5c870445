"""Types of arrays."""

import typing

import numpy as np
import numpy.typing as npt

Floats: typing.TypeAlias = npt.NDArray[np.floating[typing.Any]]
Ints: typing.TypeAlias = npt.NDArray[np.integer[typing.Any]]
Bools: typing.TypeAlias = npt.NDArray[np.bool_]
