"""What became of every test, from the JUnit file of ctest: GoogleTest's and pytest's cases, each by its name."""

import re
import xml.etree.ElementTree

GOOGLE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] ([\w/]+\.[\w/]+)(?: \((\d+) ms\))?", re.MULTILINE)
PYTEST = re.compile(r"^(\S+\.py::\S.*?) (PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)", re.MULTILINE)
WORDS = {"OK": "passed", "PASSED": "passed", "XFAIL": "passed", "SKIPPED": "skipped"}


def outcome(case):
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        return "skipped"
    return "failed" if case.find("failure") is not None or case.get("status") == "fail" else "passed"


def read(path):
    """One dictionary for each program that ctest ran, with its cases where its output names them."""
    found = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        cases = {name: WORDS.get(word, "failed") for word, name, _ in GOOGLE.findall(output)}
        cases |= {name: WORDS.get(word, "failed") for name, word in PYTEST.findall(output)}
        one = {"name": case.get("name"), "outcome": outcome(case), "seconds": float(case.get("time") or 0), "cases": cases}
        if one["outcome"] != "passed":
            one["output"] = output[-4000:] if one["outcome"] == "failed" else output[-400:]
        found.append(one)
    return found


def counts(tests):
    """passed, failed and skipped; a program without named cases counts as one."""
    words = [word for test in tests for word in (list(test["cases"].values()) or [test["outcome"]])]
    return {word: words.count(word) for word in ("passed", "failed", "skipped")}
