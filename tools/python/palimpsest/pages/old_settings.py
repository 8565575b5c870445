"""Recorded settings of earlier versions in today's spelling: what is a key of a kind now was a separate setting."""

from typing import Any, NamedTuple

from ..runs.kinds import keys_in, kind_in, kinds_in
from .text import setting_text

DEFAULT_KINDS = {
    "image-transform": "resize-crop",
    "augmentation": "crop-flip",
    "schedule": "cosine",
    "nonfinite": "stop",
    "adapter": "lora",
    "objective": "classes",
    "perturbation": "sign",
    "penalty": "none",
    "merge": "closed-form",
    "curvature": "empirical",
    "head": "linear",
    "classifier": "local",
    "device": "auto",
    "progress": "auto",
}


class OldKey(NamedTuple):
    """A key of some kinds of a setting; old_name: of the setting that it was, "" for none. is_operational: records leave it out.

    came_later: than the first records that have kinds with keys, which lack it.
    """

    setting: str
    kinds: str
    key: str
    old_name: str
    default: str
    is_operational: bool = False
    came_later: bool = False


PERTURBED = "sign gaussian stratified"
CURVATURES = "empirical expected-sampled expected-exact gram"
# In the order in which a whole text has the keys.
KEYS = (
    OldKey("image-transform", "resize-crop", "size", "image-size", "224"),
    OldKey("image-transform", "resize-crop", "crop", "crop-share", "0"),
    OldKey("image-transform", "resize-crop", "interpolation", "interpolation", "auto"),
    OldKey("image-transform", "resize-crop", "normalisation", "normalisation", "backbone"),
    OldKey("image-transform", "resize-crop", "squash", "", "false", came_later=True),
    OldKey("augmentation", "auto-augment", "policy", "", "imagenet"),
    OldKey("augmentation", "crop-flip crop-flip-jitter rand-augment auto-augment", "min-scale", "crop-scale-min", "0.08"),
    OldKey("augmentation", "crop-flip-jitter", "jitter", "colour-jitter", "0.4"),
    OldKey("augmentation", "rand-augment", "operations", "rand-augment-operations", "2"),
    OldKey("augmentation", "rand-augment", "magnitude", "rand-augment-magnitude", "9"),
    OldKey("schedule", "multistep", "milestones", "milestones", "0.5+0.8"),
    OldKey("schedule", "multistep", "factor", "milestone-factor", "0.1"),
    OldKey("schedule", "constant cosine multistep", "warmup", "warmup-steps", "0"),
    OldKey("nonfinite", "skip", "limit", "nonfinite-limit", "10"),
    OldKey("adapter", "lora", "rank", "lora-rank", "10"),
    OldKey("adapter", "lora", "alpha", "lora-alpha", "10"),
    OldKey("adapter", "lora none", "targets", "lora-targets", "key+value"),
    OldKey("adapter", "lora", "a", "", "kaiming"),
    OldKey("adapter", "lora", "tasks", "", "0", came_later=True),
    OldKey("objective", "classes", "temperature", "", "1", came_later=True),
    OldKey("objective", "cosface", "margin", "", "0.35"),
    OldKey("objective", "cosface", "scale", "", "64"),
    OldKey("perturbation", PERTURBED, "epsilon", "epsilon", "0.5"),
    OldKey("penalty", "ewc", "weight", "", "1"),
    OldKey("merge", "closed-form", "by", "", "global"),
    OldKey("merge", "closed-form", "shrink", "", "0"),
    OldKey("curvature", CURVATURES, "scale", "fisher-scale", "secant"),
    OldKey("curvature", CURVATURES, "samples", "", "all", came_later=True),
    OldKey("head", "cosine prototype", "scale", "head-scale", "16"),
    OldKey("classifier", "local", "refit", "head-refit", "0"),
    OldKey("classifier", "local", "align", "head-align", "none"),
    OldKey("classifier", "local", "normalise", "", "false", came_later=True),
    OldKey("classifier", "ridge", "projection", "", "0", came_later=True),
    OldKey("classifier", "ridge", "lambda", "", "auto", came_later=True),
    OldKey("device", "auto cpu cuda", "threads", "threads", "1"),
    OldKey("device", "auto cuda", "share", "share-device", "false", is_operational=True),
    OldKey("device", "auto cuda", "graphs", "cuda-graphs", "true", is_operational=True),
    OldKey("progress", "auto bar plain", "every", "log-every", "50", is_operational=True),
)
BY_OLD_NAME = {key.old_name: key for key in KEYS if key.old_name}
# A switch that a number of passes belonged to: what it meant without one.
SWITCHES = {"head-refit": "20", "head-align": "gaussian"}


def todays_settings(recorded: dict[str, Any]) -> dict[str, Any]:
    """Recorded settings with the names, keys and parts of today; those that lack nothing come back as they are."""
    settings = _join_switches(recorded)
    if "ewc" in settings:
        weight = float(settings.pop("ewc"))
        settings |= {"penalty": f"ewc:weight={setting_text(weight)}"} if weight else {}
    found = {BY_OLD_NAME[name].setting if name in BY_OLD_NAME else name: None for name in settings}
    is_old = settings.keys() != recorded.keys() or any(name in BY_OLD_NAME for name in settings)
    if is_old:
        found |= {name: None for name in sorted(DEFAULT_KINDS) if name != "progress"}  # which records leave out
    result = {name: _setting(name, settings, is_old) for name in found}
    if is_old and isinstance(result.get("lanes"), str) and result["lanes"].isdecimal():
        result["lanes"] = int(result["lanes"])
    return result


def _join_switches(recorded: dict[str, Any]) -> dict[str, Any]:
    settings = dict(recorded)
    for switch, usual in SWITCHES.items():
        passes = settings.pop(f"{switch}-epochs", usual)
        if switch in settings:
            settings[switch] = passes if settings[switch] in (True, "true") else "0"
    return settings


def _setting(name: str, settings: dict[str, Any], is_old: bool) -> Any:
    value = settings.get(name, DEFAULT_KINDS.get(name))
    if name not in DEFAULT_KINDS or not isinstance(value, str):
        return value
    texts = kinds_in(value)
    old = {key.key: setting_text(settings[old]) for old, key in BY_OLD_NAME.items() if key.setting == name and old in settings}
    return ",".join(_whole(name, kind_in(text), keys_in(text) | (old if i == 0 else {}), is_old) for i, text in enumerate(texts))


def _whole(setting: str, kind: str, given: dict[str, str], is_old: bool) -> str:
    """With the keys that the record lacks: all of a record of separate settings, the later ones of another."""
    known = [key for key in KEYS if key.setting == setting and kind in key.kinds.split()]
    values = {key.key: _value(key, given[key.key]) for key in known if key.key in given}
    missing = {key.key: key.default for key in known if key.key not in values and not key.is_operational and (is_old or key.came_later)}
    if is_old:
        values = {key.key: (values | missing)[key.key] for key in known if key.key in values or key.key in missing}
    else:
        values |= missing
    own = {name: value for name, value in given.items() if name not in values and name not in {key.key for key in KEYS if key.setting == setting}}
    keys = ",".join(f"{name}={value}" for name, value in (values | own).items())
    return f"{kind}:{keys}" if keys else kind


def _value(key: OldKey, value: str) -> str:
    if (key.setting, key.key) == ("classifier", "align") and value.replace(".", "", 1).isdecimal():
        return "gaussian" if float(value) else "none"
    return value.replace(" ", "").replace(",", "+") if "+" in key.default else value
