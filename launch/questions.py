"""Questions of arithmetic and algebra with short answers, as JSON Lines on standard output: task, question, answer.

For launch/data.sh instructions, which runs this with .cache/mathematics, where launch/requirements-mathematics.txt is installed:
Mathematics Dataset (Saxton et al., 2019). The same packages give the same questions.
"""

import functools
import itertools
import json
import os
import random
import re
import sys
import typing

# The order of sets of strings enters the questions.
if os.environ.get("PYTHONHASHSEED") != "0":
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})

import numpy
from mathematics_dataset.modules import algebra, arithmetic
from mathematics_dataset.util.composition import PreSampleArgs

SEED = 1
EACH = 250  # questions of each module
LONGEST = 60  # characters of a question
LARGEST = 99  # answer; the smallest is 1
ENTROPY = 2, 3  # about the digits of all numbers of a question together
SMALL = PreSampleArgs(1, 1, *ENTROPY)
MODULES: dict[str, list[typing.Callable[[], typing.Any]]] = {
    "arithmetic": [
        functools.partial(arithmetic.add_or_sub, None, SMALL),
        functools.partial(arithmetic.mul, None, SMALL),
        functools.partial(arithmetic.div, None, SMALL),
    ],
    "algebra": [
        functools.partial(algebra.solve_linear_1d, None, SMALL),
        functools.partial(algebra.sequence_next_term, *ENTROPY),
    ],
}


def has_equal_steps(question: str) -> bool:
    """Whether the numbers of a question about a sequence rise or fall by equal steps."""
    numbers = [int(number) for number in re.findall(r"\d+", question)]
    return len({after - before for before, after in itertools.pairwise(numbers)}) == 1


def questions(module: typing.Callable[[], typing.Any]) -> typing.Iterator[tuple[str, str]]:
    """EACH different questions without negative numbers and decimal points, whose answers are small and whole; of sequences those with equal steps."""
    seen: set[str] = set()
    while len(seen) < EACH:
        problem = module()
        question, answer = str(problem.question), str(problem.answer)
        is_small = answer.isdecimal() and 0 < int(answer) <= LARGEST
        is_plain = not re.search(r"-\S|\.\d", question) and len(question) <= LONGEST
        is_easy = " next" not in question or has_equal_steps(question)
        if is_small and is_plain and is_easy and question not in seen:
            seen.add(question)
            yield question, answer


for task, modules in MODULES.items():
    random.seed(SEED)
    numpy.random.seed(SEED)
    for module in modules:
        for question, answer in questions(module):
            print(json.dumps({"task": task, "question": question, "answer": answer}))
