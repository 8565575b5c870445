"""The command-line parser of the programs in Python. Help and error messages look like those of the programs in C++."""

import argparse
import difflib
import re
import typing


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)

    def add_usage(self, usage: typing.Any, actions: typing.Any, groups: typing.Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "Usage: " if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        super().start_section(heading.capitalize() if heading else heading)


class Parser(argparse.ArgumentParser):
    """For a wrong word, suggests the nearest known one. Exit code 2."""

    def __init__(self, **settings: typing.Any) -> None:
        super().__init__(formatter_class=_Help, allow_abbrev=False, **settings)

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"{self.prog}: {message}{self._hint(message)}; see {self.prog} --help\n")

    def _hint(self, message: str) -> str:
        if choice := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            return _nearest(choice[1], re.findall(r"'(.*?)'", choice[2]))
        if message.endswith("required: VERB"):
            return f": {', '.join(self._verbs())}"
        if unknown := re.search(r"unrecognized arguments: (--[^ =]+)", message):
            return _nearest(unknown[1], self._all_options())
        return ""

    def _verbs(self) -> list[str]:
        return [name for action in self._actions if isinstance(action, argparse._SubParsersAction) for name in action.choices]

    def _all_options(self) -> list[str]:
        """The options of this parser and of its verbs."""
        names = list(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                names += [name for verb in action.choices.values() for name in verb._option_string_actions]
        return names


def _nearest(word: str, known: list[str]) -> str:
    """ "" also for a word that is known, as an option of another verb."""
    names = {name.lstrip("-"): name for name in known}
    found = difflib.get_close_matches(word.lstrip("-"), names, 1)
    return f"; did you mean '{names[found[0]]}'?" if found and names[found[0]] != word else ""
