"""One combination's settings: params.yaml, the preset of its base, and what it overrides there."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.shared.params import OVERRIDES, PARAMS, PRESETS, TRAINED, Combination, Merged, Params
from tasks.shared.wrong_keys import explain, suggest
from tasks.shared.yaml_files import overlay, read_yaml
from vd_core.errors import InputError
from vd_core.seeds import seed_for


def load_params(path: Path = PARAMS) -> Params:
    """Read and check params.yaml; InputError names the first key that is wrong."""
    try:
        return Params.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(f"{path.name}: {explain(error)}") from None


def merge(params: Params, name: str) -> Merged:
    """The settings of one combination; InputError names the first key that is wrong and the files that it can come from."""
    combination = params.combination(name)
    base, overrides = combination.base or params.base, read_overrides(params, name)
    where = f"{PARAMS}: combinations.{name}, or {PRESETS / base}.yaml"
    for key in overrides:
        if key not in OVERRIDES:
            raise InputError(f"{PARAMS}: combinations.{name}: {suggest(key, [*OVERRIDES, *Combination.model_fields])}")
    preset = read_preset(base)
    more = preset.pop("for_three_subjects", {})
    layers = [preset, more if len(combination.subjects) > 2 else {}, overrides]
    raw = overlay({}, *layers)
    own = {k: getattr(combination, k) for k in ("finetune_from", "subjects", "prompts", "motion_prompt", "sampling_round")}
    shared = {"base": base, "seed": params.seed, "device": params.device, "processes": params.processes}
    try:
        return Merged.model_validate(with_seeds(raw, params.seed) | own | shared)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error)}") from None


def read_overrides(params: Params, name: str) -> dict[str, Any]:
    """What a combination overrides in its preset; of what belongs to finetuned subjects, what their own combination does."""
    combination = params.combination(name)
    owner_name, own = combination.finetune_from, combination.model_extra or {}
    if owner_name == name:
        return own
    owner, where = params.combination(owner_name), f"{PARAMS}: combinations.{name}"
    if owner.subjects != combination.subjects or (owner.base or params.base) != (combination.base or params.base):
        raise InputError(f"{where}: base and subjects must be those of {owner_name}, whose finetuned subjects it takes (finetune_from)")
    for key in own:
        if key in TRAINED:
            raise InputError(f"{where}: {key} is that of {owner_name}, whose finetuned subjects it takes (finetune_from); remove it")
    return {k: v for k, v in (owner.model_extra or {}).items() if k in TRAINED} | own


def merge_new(params: Params, name: str, entry: dict[str, Any]) -> Merged:
    """The settings of a combination that params.yaml does not have yet."""
    combination = Combination.model_validate(entry)
    return merge(params.model_copy(update={"combinations": {**params.combinations, name: combination}}), name)


def read_preset(base: str) -> dict[str, Any]:
    """presets/<base>.yaml; InputError if there is none."""
    known = sorted(p.stem for p in PRESETS.glob("*.yaml"))
    if base not in known:
        raise InputError(f"{PARAMS}: base '{base}' is unknown; choose one of {', '.join(known)}, or write {PRESETS / base}.yaml")
    return read_yaml(PRESETS / f"{base}.yaml")


def with_seeds(raw: dict[str, Any], seed: int) -> dict[str, Any]:
    """The raw settings as the models have them: each training its own seed, and what finetuning shares with sampling."""
    motion = dict(raw.get("motion") or {})
    training = {k: motion.pop(k) for k in ("schedule", "lora_rank", "copies", "actors", "places", "validation") if k in motion}
    repeat = {"disen_mix": {"repeat": (raw.get("regions") or {}).get("repeat", False)}}
    finetune = overlay(raw.get("finetune") or {}, repeat) | {"sampling": raw.get("sampling")}
    for stage, part in (("finetune", finetune), ("motion", training)):
        part["schedule"] = dict(part.get("schedule") or {}) | {"seed": seed_for(stage, seed)}
    return raw | {"finetune": finetune, "motion": motion | {"training": training}}
