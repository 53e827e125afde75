"""Do policy files say what decides, and is what they cannot say refused by name?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from statewise.errors import DataError, OptionError
from statewise.verdicts import PRESETS, Policy, read_policy
from statewise.verdicts._policy import AlertRules, CostRules, GradientRules


def write(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("preset", "bounds", "limits"),
    [
        ("default", True, {"accuracy": 0.85, "precision": 0.80, "recall": 0.80, "f1": 0.80}),
        ("lenient", False, {"accuracy": 0.80, "precision": 0.75, "recall": 0.75, "f1": 0.75}),
        ("recall-first", True, {"recall": 0.90, "precision": 0.50}),
        ("precision-first", True, {"precision": 0.95, "recall": 0.50}),
    ],
)
def test_each_preset_holds_the_limits_that_it_is_known_for(preset: str, *, bounds: bool, limits: dict[str, float]) -> None:
    policy = read_policy(preset)
    assert (policy.name, policy.bounds, policy.limits) == (preset, bounds, limits)
    assert policy.says
    assert (policy.evidence.min_units, policy.evidence.min_positives, policy.evidence.rare_positives_below) == (50, 30, 0.10)
    assert policy.gradients == GradientRules()
    assert (policy.gradients.median_low, policy.gradients.median_high, policy.gradients.spike_ratio) == (1e-4, 10.0, 10.0)
    assert (policy.gradients.spike_window, policy.gradients.spike_exempt, policy.gradients.max_spike_share) == (50, 20, 0.01)
    assert policy.training.max_rise == 0.2
    assert policy.require.of("run") == ("evaluation", "history", "audit")
    assert policy.require.of("predictions") == policy.require.of("counts") == ("evaluation",)
    assert not policy.knows_mistakes


def test_presets_decide_differently() -> None:
    assert len({read_policy(preset).sha256 for preset in PRESETS}) == len(PRESETS)


def test_a_file_names_only_what_differs_and_replaces_limits_whole(tmp_path: Path) -> None:
    path = write(tmp_path, 'extends = "default"\n[limits]\nrecall = 0.7\n[evidence]\nmin_units = 9\n[cost]\nmiss = 5\nfalse_alarm = 1\n')
    policy = read_policy(path)
    assert policy.name == "own"
    assert policy.says == ""
    assert policy.limits == {"recall": 0.7}
    assert (policy.evidence.min_units, policy.evidence.min_positives) == (9, 30)
    assert policy.cost == CostRules(miss=5.0, false_alarm=1.0)
    assert policy.knows_mistakes


def test_a_file_may_extend_a_file_beside_it(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "lenient"\n[require]\nrun = ["evaluation"]\n[evidence]\nmin_units = 9\n', "house.toml")
    policy = read_policy(write(tmp_path, 'extends = "house.toml"\nname = "mine"\n[evidence]\nmin_positives = 5\n'))
    assert (policy.evidence.min_units, policy.evidence.min_positives) == (9, 5)
    assert (policy.name, policy.bounds, policy.require.run) == ("mine", False, ("evaluation",))
    assert policy.require.counts == ("evaluation",)


def test_the_hash_is_of_what_decides(tmp_path: Path) -> None:
    one = write(tmp_path, '# a comment\nsays = "x"\n[limits]\nrecall = 0.8\nf1 = 0.7\n', "one.toml")
    same = write(tmp_path, "[limits]\nf1 = 0.70\nrecall = 0.80\n", "same.toml")
    other = write(tmp_path, "[limits]\nf1 = 0.70\nrecall = 0.81\n", "other.toml")
    assert read_policy(one).sha256 == read_policy(same).sha256 != read_policy(other).sha256
    assert len(read_policy(one).sha256) == 64


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("limitz = 1\n", "key 'limitz'", "Did you mean 'limits'?"),
        ("[limits]\nrecal = 0.9\n", "table [limits], key 'recal'", "Did you mean 'recall'?"),
        ("[limits]\nrecall = 0.9\n[evidence]\nmin_unit = 3\n", "table [evidence], key 'min_unit'", "Did you mean 'min_units'?"),
        ("[limits]\nrecall = 0.9\n[cost]\nmis = 3\n", "table [cost], key 'mis'", "Did you mean 'miss'?"),
        ("[limits]\nrecall = 'high'\n", "limits", "extends"),
        ("bounds = 3\n[limits]\nrecall = 0.9\n", "key 'bounds'", "extends"),
        ("[limits]\nrecall = 0.9\n[require]\nrun = ['luck']\n", "key 'require.run[0]'", "extends"),
        ("[limits]\nrecall = 0.9\n[cost]\nmiss = 3\n", "key 'cost'", "extends"),
        ("bounds = true\n", "the file", "extends"),
        ("[limits]\n", "table [limits]", "extends"),
        ("[limits]\nrecall = 90\n", "limit on recall", "from 0 to 1"),
        ("[limits]\nrecall = 0.9\n[gradients]\nmedian_low = 20\n", "median_low", "from 0 to 10"),
        ("[limits]\nrecall = 0.9\n[cost]\nmiss = -1\nfalse_alarm = 1\n", "cost of a miss", "from 0 to inf"),
        ("[limits]\nrecall = 0.9\n[alerts]\nmax_false_positive_rate = 2\n", "max_false_positive_rate", "from 0 to 1"),
        ("extends = 'own.toml'\n", "key 'extends'", "End it at a preset"),
        ("extends = 'lenint'\n", "policy 'lenint'", "Did you mean 'lenient'?"),
    ],
)
def test_what_a_policy_cannot_say_is_refused_with_the_place_and_the_nearest_name(tmp_path: Path, text: str, where: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_policy(write(tmp_path, text))
    assert where in caught.value.where
    assert hint in caught.value.hint
    assert "policy" in caught.value.asked
    assert caught.value.arrived


@pytest.mark.parametrize(("name", "arrived"), [("recal-first", "neither a preset nor a file"), ("no/such.toml", "no such file")])
def test_a_policy_that_is_not_there_is_named(name: str, arrived: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_policy(name)
    assert (caught.value.asked, caught.value.where, caught.value.arrived) == ("read a policy", f"policy '{name}'", arrived)
    assert "recall-first" in caught.value.hint


@pytest.mark.parametrize("content", [b"[limits\n", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_policy(path)
    assert caught.value.asked == "read a policy"
    assert str(path) in caught.value.where
    assert "TOML" in caught.value.arrived
    assert "preset" in caught.value.hint


def test_rules_said_but_left_empty_say_nothing_of_mistakes() -> None:
    policy = Policy(limits={"recall": 0.9}, alerts=AlertRules())
    assert not policy.knows_mistakes
    assert msgspec.structs.replace(policy, alerts=AlertRules(max_per_thousand=3)).knows_mistakes


def test_a_policy_made_in_python_is_held_to_what_a_file_may_say() -> None:
    whole, decimal = Policy(limits={"recall": 1}), Policy(limits={"recall": 1.0})
    assert whole.sha256 == decimal.sha256
    with pytest.raises(OptionError) as caught:
        Policy(limits={"recal": 0.9})
    assert caught.value.asked == "use policy 'own'"
    assert "recal" in caught.value.where
    assert "recall" in caught.value.hint


def test_the_least_precision_of_alerts_alone_is_a_policy() -> None:
    assert Policy(limits={}, alerts=AlertRules(min_precision=0.9)).alerts is not None
    with pytest.raises(OptionError, match="every model would pass"):
        Policy(limits={}, alerts=AlertRules())
