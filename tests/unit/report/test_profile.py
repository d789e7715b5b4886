"""The layer profile: which layer is said to hold most pitch, and by how much more than what it is held to."""

import pytest

from otoscope.report.profile import ROLE_TITLES, best_point, layer_profile, stands_out

MODELS = {
    "logmel": ([0.9], [0.95]),
    "ge2e": ([0.5, 0.2, 0.1], [0.3, 0.7, 0.6]),
    "untrained:ge2e#0": ([0.1, 0.1, 0.1], [0.99, 0.11, 0.12]),
    "hubert": ([0.3, 0.4, 0.6], [0.1, 0.2, 0.65]),
}


def test_the_best_layer_is_the_models_highest_r_within_utterances(make):
    best = best_point(make.profile(MODELS).points)
    assert (best.model, best.layer) == ("ge2e", 1)


def test_neither_a_baseline_nor_an_untrained_copy_can_be_best(make):
    profile = make.profile({name: MODELS[name] for name in ("logmel", "untrained:ge2e#0")})
    assert best_point(profile.points) is None
    assert (profile.headline, profile.answer) == ("", "")
    assert len(profile.points) == 4


def test_points_come_in_the_order_of_the_run_with_layers_rising(make):
    points = make.profile(MODELS).points
    assert [(p.model, p.layer) for p in points] == [
        (name, layer) for name, (r2, _) in MODELS.items() for layer in range(len(r2))
    ]
    assert all(p.scores["r2"]["metric"] == "r2" and p.scores["within_r"]["metric"] == "within_r" for p in points)


def test_each_layer_stands_beside_the_same_layer_of_its_untrained_copy(make):
    points = {(p.model, p.layer): p for p in make.profile(MODELS).points}
    assert [points["ge2e", i].untrained["within_r"] for i in range(3)] == [0.99, 0.11, 0.12]
    assert [points["ge2e", i].untrained["r2"] for i in range(3)] == [0.1, 0.1, 0.1]
    assert points["hubert", 2].untrained == {"r2": None, "within_r": None}


@pytest.mark.parametrize("role", ROLE_TITLES)
def test_only_the_rows_of_the_role_are_taken(make, role):
    rows = [row for name, shift in zip(ROLE_TITLES, range(5), strict=True) for row in made(make, name, 0.1 * shift)]
    profile = layer_profile(rows, [], {"ge2e": "model"}, {"ge2e": None}, role)
    assert [p.scores["r2"]["value"] for p in profile.points] == [0.1 * list(ROLE_TITLES).index(role)]
    assert profile.title == ROLE_TITLES[role]


def made(make, role, value):
    return make.rows_of({"ge2e": [value]}, train=role)


def test_other_targets_and_single_languages_are_not_taken(make):
    rows = made(make, "own", 0.5)
    rows += [{**row, "target": "voicing", "value": 0.9} for row in rows]
    rows += [{**row, "test": "vi_vn", "value": 0.9} for row in rows]
    (point,) = layer_profile(rows, [], {"ge2e": "model"}, {}, "own").points
    assert point.scores["within_r"]["value"] == 0.5


def answer(make, *contrasts, **changes):
    return make.profile({"ge2e": [0.2, 0.6]}, contrasts, **changes).answer


def test_the_answer_names_layer_scores_and_intervals(make):
    said = answer(make)
    assert said.startswith("Of the 2 layers of ge2e, layer 1 (block 1) holds most pitch in its own language: ")
    assert make.profile({"ge2e": [0.6]}).answer.startswith("ge2e layer 0 (block 0) holds most pitch")
    assert "r 0.60 (0.57-0.64) within utterances" in said
    assert "R2 0.60 (0.57-0.64)" in said


def test_the_answer_says_where_for_every_role(make):
    assert "in languages that the probe never saw: r" in answer(make, role="lolo")
    assert "holds most pitch: r" in answer(make, role="pool")


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        ((0.2, 0.1, 0.3), "0.20 (0.10-0.30) above the best baseline (logmel)."),
        ((-0.2, -0.3, -0.1), "0.20 (0.10-0.30) below the best baseline (logmel)."),
        ((0.2, -0.1, 0.3), "not told apart from the best baseline (logmel) (0.20 (-0.10 to 0.30))."),
        ((0.2, 0.0, 0.3), "not told apart from the best baseline (logmel)"),
        ((-0.2, -0.3, 0.0), "not told apart from the best baseline (logmel)"),
    ],
)
@pytest.mark.parametrize(("metric", "name"), [("within_r", "r"), ("r2", "R2")])
def test_above_below_or_not_told_apart_is_what_the_interval_says(make, difference, said, metric, name):
    contrast = make.contrast("ge2e", 1, "baseline", "logmel", *difference, metric=metric)
    assert f" In {name} it lies {said}" in answer(make, contrast)


def test_only_the_differences_of_the_best_layer_role_and_metric_are_told(make):
    own = make.contrast("ge2e", 1, "untrained", "untrained:ge2e#0", 0.4, 0.3, 0.5)
    others = [
        {**own, "value": 0.77, "layer": 0},
        {**own, "value": 0.77, "train": "lolo"},
        {**own, "value": 0.77, "metric": "mse"},
        {**own, "value": 0.77, "model": "hubert"},
    ]
    said = answer(make, *others, own)
    assert "0.40 (0.30-0.50) above its untrained copy" in said
    assert "0.77" not in said


def test_an_undefined_difference_is_not_told(make):
    assert "untrained" not in answer(
        make, make.contrast("ge2e", 1, "untrained", "untrained:ge2e#0", None, None, None)
    )


def test_the_headline_names_what_the_best_layer_is_held_to(make):
    models = {"ge2e": [0.2, 0.6], "untrained:ge2e#0": [0.01, 0.11]}
    said = make.profile(models, baseline=0.5).headline
    assert said == (
        "ge2e layer 1 holds most pitch: r 0.60 within utterances; "
        "the best baseline reaches 0.50, its untrained copy reaches 0.11"
    )
    assert make.profile({"ge2e": [0.6]}).headline == "ge2e layer 0 holds most pitch: r 0.60 within utterances"


def test_a_difference_without_an_interval_is_not_told(make):
    contrast = make.contrast("ge2e", 1, "baseline", "logmel", 0.2, None, None)
    assert "logmel" not in answer(make, contrast)


def test_without_an_interval_no_layer_is_said_to_hold_most(make):
    reason = "en_us has 4 groups to resample; 8 are needed"
    profile = make.profile({"ge2e": [0.2, 0.6]}, low=None, high=None, reason=reason)
    assert profile.answer == (
        f"There is no interval ({reason}), so no layer can be said to hold most pitch; "
        "the highest r is that of ge2e layer 1 (block 1), 0.60."
    )
    assert profile.headline == f"Too few groups to say which layer holds most pitch: {reason}"


def test_an_empty_role_says_why(make):
    profile = make.profile({"ge2e": [None, None]}, role="lolo", reason="there is no other language to train on")
    assert profile.points == ()
    assert profile.why_empty == "there is no other language to train on"
    assert layer_profile([], [], {}, {}, "own").why_empty == "there are no rows"
    assert make.profile({"ge2e": [0.1]}).why_empty is None


def test_the_title_says_when_the_mean_is_not_over_all_languages(make):
    rows = made(make, "own", 0.5)
    rows += [{**row, "test": "vi_vn", "n_frames": 0, "value": None} for row in rows if row["test"] == "en_us"]
    profile = layer_profile(rows, [], {"ge2e": "model"}, {}, "own")
    assert (profile.languages, profile.n_tested) == (("en_us",), 2)
    assert profile.title == f"{ROLE_TITLES['own']}, 1 of 2 languages"


@pytest.mark.parametrize("values", [[0.01, 0.02, 0.0], [0.04, 0.03, 0.02]])
def test_where_nothing_is_told_from_chance_or_from_the_control_no_layer_is_crowned(make, values):
    profile = make.profile({"ge2e": values})
    assert profile.headline.startswith("No layer holds pitch that can be told from chance: the highest r is 0.0")
    assert profile.answer.startswith("No layer holds pitch that can be told from chance")
    assert "the control reaches 0.02" in profile.answer
    assert not stands_out(best_point(profile.points))
    assert stands_out(best_point(make.profile(MODELS).points))


def test_layers_inside_the_interval_of_the_best_are_named(make):
    profile = make.profile({"ge2e": [0.3, 0.7, 0.69, 0.68]})
    assert "Layers 2, 3 of it lie inside that interval." in profile.answer
    assert "inside that interval" not in make.profile({"ge2e": [0.3, 0.7, 0.5]}).answer
