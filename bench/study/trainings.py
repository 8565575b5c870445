"""What is trained: methods of configs/methods with other settings, and the regimes that they are compared in."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Training:
    name: str
    title: str
    method: str  # a file of configs/methods
    settings: tuple = ()  # (name, value)


@dataclasses.dataclass(frozen=True)
class Regime:
    name: str
    title: str
    settings: tuple = ()  # (name, value)


SECANT = ("curvature", "empirical:scale=secant")
FEW_SAMPLES = ("curvature", "empirical:scale=secant,samples=20")
FIRST_SESSION = ("adapter", "lora:tasks=1")
TEMPERATURE = ("objective", "classes:temperature=30")
PASSES = ("epochs", "100")
TRAININGS = {
    training.name: training
    for training in (
        Training("sequential", "sequential", "sequential"),
        Training("average", "average", "average"),
        Training("lora-m", "LoRA-M", "lora-m"),
        Training("pm-none", "P&M, none", "perturb-and-merge"),
        Training("pm-secant", "P&M, secant", "perturb-and-merge", (SECANT,)),
        Training("first-session", "first task alone", "sequential", (FIRST_SESSION,)),
        Training("frozen", "frozen", "frozen"),
        Training("joint", "joint", "joint"),
        Training("pm-few", "P&M, secant, 20 samples a class", "perturb-and-merge", (FEW_SAMPLES,)),
    )
}
MERGED = "pm-secant"
FEW = "pm-few"  # the same with a Fisher of few samples
PAPER = ("sequential", "average", "lora-m", "pm-none")  # in the order that the paper has for them, worst first

CHOSEN = "chosen"
REGIMES = {
    regime.name: regime
    for regime in (
        Regime(CHOSEN, "the chosen schedule"),
        Regime("temperature", "temperature 30", (TEMPERATURE,)),
        Regime("passes", "temperature 30, 100 passes", (TEMPERATURE, PASSES)),
    )
}
