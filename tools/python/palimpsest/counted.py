"""Numbers with their nouns and verbs, in the singular or the plural."""


def counted(count: int, noun: str) -> str:
    """counted(2, "task") is "2 tasks", counted(1000, "class") is "1,000 classes", counted(3, "family") is "3 families"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def form(count: int, one: str, several: str) -> str:
    """The form of a verb, say: form(2, "is", "are") is "are"."""
    return one if count == 1 else several
