"""What goes wrong with what the user gives."""


class InputError(Exception):
    """An input is wrong: what was expected, what was found, where, and what to do. Programs exit with 3."""
