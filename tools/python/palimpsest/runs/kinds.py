"""Settings that are a kind with keys: "lora:rank=10,alpha=10"."""


def kinds_in(text: str) -> list[str]:
    """Several kinds, each with its keys: "local:refit=5,align=none,ridge" are two."""
    kinds: list[str] = []
    for part in text.split(","):
        if kinds and "=" in part and ":" not in part.partition("=")[0]:
            kinds[-1] += f",{part}"
        else:
            kinds.append(part)
    return kinds


def kind_in(text: str) -> str:
    return text.partition(":")[0]


def keys_in(text: str) -> dict[str, str]:
    """{} of a kind without keys. A key without a value has ""."""
    keys = text.partition(":")[2]
    return {name: value for name, _, value in (part.partition("=") for part in keys.split(",") if part)}
