"""What a comparison found: which groups' accuracies can be compared, and which of these is the best."""

from collections.abc import Sequence

from ..counted import counted
from ..runs.stream_metrics import UNTESTED
from .comparison import TESTED_ON, Comparison, Group, spread_text
from .measures import OF_ACCURACY, titled
from .text import listed

LAST = OF_ACCURACY[0]
MOST_NAMED = 4  # groups in a sentence


def finding(comparison: Comparison) -> str:
    """The last accuracy of the best groups; where not all of them can be compared, why."""
    groups, last = comparison.groups, titled("Last accuracy", comparison.score_title)
    differing = differing_tests(groups)
    if not differing:
        return f"{last}: {_ranking(groups)}."
    alike: list[list[Group]] = []
    for group in groups:
        own = next((others for others in alike if not differing_tests([*others, group])), None)
        if own is None:
            alike.append([group])
        else:
            own.append(group)
    rankings = [_ranking(own) for own in alike if len(own) > 1]
    what = "accuracies" if comparison.score_title == "accuracy" else "numbers"
    said = f"Not all of these {what} can be compared" if rankings else f"These {what} can't be compared"
    return " ".join([f"{said}: the groups differ in {listed(differing)}.", *(f"{last}, of those that can: {ranking}." for ranking in rankings)])


def differing_tests(groups: Sequence[Group]) -> list[str]:
    """In what the tests of groups differ, so that their accuracies can't be compared."""
    tests = [_test(group) for group in groups]
    names = dict.fromkeys(name for test in tests for name in test)
    return [name for name in names if len({test[name] for test in tests if name in test}) > 1]


def _test(group: Group) -> dict[str, object]:
    """What accuracies depend on beside the method. Joint training learns all tasks as one, and is compared with any number of them."""
    found: dict[str, object] = {name: group.conditions[name] for name in TESTED_ON} | {"classes": frozenset(run.classes for run in group.runs)}
    if group.conditions["joint"] != "true":
        found["number of tasks"] = len(group.first.tasks)
    return found


def _ranking(groups: Sequence[Group]) -> str:
    ordered = sorted((group for group in groups if "last" in group.spreads), key=lambda group: -group.spreads["last"].mean)
    parts = [listed([f"{group.label} reaches {spread_text(LAST, group.spreads['last'])} %" for group in ordered[:MOST_NAMED]])]
    if len(ordered) > MOST_NAMED:
        parts.append(f"{counted(len(ordered) - MOST_NAMED, 'group')} below")
    if others := [group.label for group in groups if "last" not in group.spreads]:
        parts.append(f"of {listed(others)} earlier tasks were {UNTESTED} after the last one")
    return "; ".join(filter(None, parts))
