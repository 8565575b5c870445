"""Errors in the input of a user."""


class InputError(Exception):
    """An input is wrong: what was expected, what was found, where, and what to do. Programs exit with 3."""
