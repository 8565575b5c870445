"""Numbers and tables as Markdown."""

import statistics

MISSING = "not measured"


def table(head, rows):
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def mean_cell(values, planned, digits=1):
    """Mean and sample deviation; how many there are, where fewer than planned. A dash where there is no such number."""
    if planned == 0:
        return "-"
    if not values:
        return MISSING
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}{'' if len(values) >= planned else f' ({len(values)} of {planned})'}"


def difference_cell(difference):
    """In bold where the interval doesn't contain zero."""
    if difference is None:
        return MISSING
    mark = "" if difference.low <= 0 <= difference.high else "**"
    return f"{mark}{difference.mean:+.1f}{mark} ({difference.low:+.1f} to {difference.high:+.1f})"
