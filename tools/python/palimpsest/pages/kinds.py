"""Settings that are a kind with keys: "lora:rank=10,alpha=10"."""


def kind_in(text: str) -> str:
    return text.partition(":")[0]


def keys_in(text: str) -> dict[str, str]:
    """{} of a kind without keys. A key without a value has ""."""
    keys = text.partition(":")[2]
    return {name: value for name, _, value in (part.partition("=") for part in keys.split(",") if part)}
