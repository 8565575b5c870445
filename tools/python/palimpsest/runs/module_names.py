"""What timm and transformers call the modules that a run adapts."""

from collections.abc import Container
from typing import NamedTuple


class Place(NamedTuple):
    """The rows of a module: in one parameter, part `part` of `of` equal ones; or in several, one above the other."""

    parameters: tuple[str, ...]
    part: int = 0
    of: int = 1


# Of text models: BERT's names are the records' own, MPNet has others.
TEXT_PARTS = {
    "attention.self.query": [Place(("attention.attn.q",))],
    "attention.self.key": [Place(("attention.attn.k",))],
    "attention.self.value": [Place(("attention.attn.v",))],
    "attention.output.dense": [Place(("attention.attn.o",))],
}
# Of vision transformers: timm's, then those of transformers' ViT and DINOv2.
VISION_PARTS = {
    "attn.query": [Place(("attn.qkv",), 0, 3), Place(("attention.attention.query",)), Place(("attention.q_proj",))],
    "attn.key": [Place(("attn.qkv",), 1, 3), Place(("attention.attention.key",)), Place(("attention.k_proj",))],
    "attn.value": [Place(("attn.qkv",), 2, 3), Place(("attention.attention.value",)), Place(("attention.v_proj",))],
    "attn.output": [Place(("attn.proj",)), Place(("attention.output.dense",)), Place(("attention.o_proj",))],
    # Where the MLP is gated, some keep the gate and what it gates apart.
    "mlp.fc1": [
        Place(("mlp.weights_in",)),
        Place(("intermediate.dense",)),
        Place(("mlp.gate_proj", "mlp.up_proj")),
        Place(("mlp.fc1_g", "mlp.fc1_x")),
    ],
    "mlp.fc2": [Place(("mlp.weights_out",)), Place(("mlp.down_proj",)), Place(("output.dense",))],
}
VISION_BLOCKS = ("blocks.", "encoder.layer.", "layers.")


def find_place(module: str, parameters: Container[str]) -> Place | None:
    """Where a model with these parameters has the weight of a module, by the module's name in a run's records. None: nowhere."""
    for place in _candidates(module):
        found = place._replace(parameters=tuple(f"{name}.weight" for name in place.parameters))
        if all(name in parameters for name in found.parameters):
            return found
    return None


def _candidates(module: str) -> list[Place]:
    is_vision = module.startswith("blocks.")
    begin = "blocks." if is_vision else "encoder.layer."
    number, _, part = module.removeprefix(begin).partition(".")
    written = (VISION_PARTS if is_vision else TEXT_PARTS).get(part, [])
    places = [Place((part,)), *written]
    blocks = VISION_BLOCKS if is_vision else (begin,)
    return [
        Place((module,)),
        *(place._replace(parameters=tuple(f"{block}{number}.{name}" for name in place.parameters)) for block in blocks for place in places),
    ]
