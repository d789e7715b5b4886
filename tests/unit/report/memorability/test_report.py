"""The report of a memorability study: complete, true to the numbers, closed to the world, safe from what it shows."""

import base64
import hashlib
import io
import re
import shlex
from collections import Counter
from html import unescape

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from otoscope.cli.memorability import app
from otoscope.errors import SpecError
from otoscope.report.memorability import FEATURES, FIRST_FAILURES, memorability_html
from otoscope.report.memorability_words import METRICS, metric_text
from otoscope.report.tokens import DARK, LIGHT, interval

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)></title></style></svg>&amp;{{7*7}}\u202e\x1b[2J"
SECTIONS = ["scores", "truth", "drivers", "clips", "numbers", "left-out", "made"]


@pytest.fixture
def page(answer_of, page_of):
    return page_of(memorability_html(answer_of()))


def cards(page):
    return [attrs for attrs in page.all("details") if "clip" in attrs.get("class", "").split()]


def test_it_answers_first_and_says_how_it_was_made_last(page):
    assert [attrs["id"] for attrs in page.all("section")] == SECTIONS
    said = page.text.index("ranks clips that it never heard with rho 0.31 (0.19-0.42)")
    assert said < page.text.index("Nine in ten clips") < page.text.rindex("How it was made")


def test_every_link_within_leads_somewhere(page):
    there = Counter(attrs["id"] for _, attrs in page.elements if "id" in attrs)
    assert max(there.values()) == 1
    links = [attrs["href"] for attrs in page.all("a")]
    assert len(links) > len(SECTIONS)
    assert {link.removeprefix("#") for link in links} <= set(there)


def test_it_asks_for_nothing_from_anywhere(answer_of, page_of):
    html = memorability_html(answer_of())
    assert "http" not in html.replace("http-equiv", "")
    page = page_of(html)
    for tag, attrs in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "action", "data", "srcset"):
            assert attrs.get(name, "#").startswith("#")
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
    assert "url(" not in html
    assert "@import" not in html


def test_only_its_own_script_may_run(answer_of, page_of):
    html = memorability_html(answer_of())
    (policy,) = [a["content"] for a in page_of(html).all("meta") if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'")
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe" not in re.search(r"script-src[^;]*", policy).group()


def test_both_themes_have_the_colours_of_the_house_and_paper_is_light(page, answer_of):
    html = memorability_html(answer_of())
    dark = html.index("@media screen and (prefers-color-scheme:dark)")
    for name in LIGHT:
        assert html.index(f"--{name}:{LIGHT[name]};") < dark < html.index(f"--{name}:{DARK[name]};", dark)


def test_the_numbers_are_those_of_the_summary(page, made):
    for metric in METRICS[:6]:
        said = metric_text(metric.name, made.entry(made.metrics[metric.name]), 2)
        main, _, bounds = said.partition(" ")
        assert f"{main} {bounds}" in page.text
    # Written here by hand, so that a fault in the writing of numbers is seen as well.
    for said in ("0.31 (0.19-0.42)", "0.0248 (0.0207-0.0291)", "0.158 (0.144-0.171)", "0.61 (0.57-0.65)"):
        assert said in page.text
    assert "-0.19 (-0.25 to -0.12)" in page.text
    assert "0.94" in page.text


def test_every_metric_is_explained_with_its_unit(page):
    for metric in METRICS:
        assert f"{metric.title} {metric.unit}" in page.text
        assert metric.plain in page.text
    assert "below 0 by construction" in page.text


def test_a_score_in_other_units_is_written_with_fitting_digits(answer_of, page_of, made):
    models = {"svr": (made.scores(rmse=(16.21, 14.5, 18.4), mse=(262.8, 210.0, 338.6)), made.details("model"))}
    tracks = {f"c{number}": 10.0 + 2.0 * number for number in range(40)}
    page = page_of(memorability_html(answer_of(models, tracks=tracks, explanation=None)))
    assert "16 (14-18)" in page.text
    assert "263 (210-339)" in page.text


def test_all_clips_are_there_best_remembered_first(page):
    found = cards(page)
    truths = [float(attrs["data-truth"]) for attrs in found]
    assert len(found) == 40
    assert truths == sorted(truths, reverse=True)
    for attrs in found:
        predicted = 0.5 * float(attrs["data-truth"]) + 0.3
        assert float(attrs["data-predicted"]) == pytest.approx(predicted, abs=1e-5)
        assert float(attrs["data-off"]) == pytest.approx(abs(predicted - float(attrs["data-truth"])), abs=1e-5)


def test_a_prediction_is_the_mean_over_repeats(answer_of, page_of):
    answer = answer_of(tracks={"a": 0.0, "b": 1.0}, explanation=None)
    for row in answer.predictions:
        row["predicted"] = {0: 0.2, 1: 0.5}[row["repeat"]]
    assert {attrs["data-predicted"] for attrs in cards(page_of(memorability_html(answer)))} == {"0.35"}


def test_every_clip_has_its_reasons_in_words(page):
    assert page.text.count("brighter than 80 % of the training clips -0.13") == 40
    assert page.text.count("Brightness -0.13, Beat and rhythm +0.01.") == 40


def test_the_strongest_features_are_told_with_direction_and_agreement(page):
    listed = re.findall(r"(brighter|darker) in part (\d+) ▲ raises it", page.text)
    assert listed == [("brighter" if n % 2 else "darker", str(n)) for n in range(1, FEATURES + 1)]
    assert "all 10 folds" in page.text
    assert "a clip that is brighter in part 1, darker in part 2 and brighter in part 3" in page.text


@pytest.mark.parametrize("where", ["track", "notes", "failures", "reasons", "features", "groups", "run", "models"])
def test_what_is_shown_is_never_markup(answer_of, page_of, made, where):
    tracks = (
        {HOSTILE: 0.2, "plain": 0.7, "third": 0.8} if where == "track" else {"one": 0.2, "plain": 0.7, "third": 0.8}
    )
    told = made.explanation_of(tracks)
    if where == "reasons":
        told["clips"][0]["reasons"] = [
            {"feature": HOSTILE, "text": f"{HOSTILE}: +0.1"},
            {"feature": "x", "text": HOSTILE},
        ]
    if where == "features":
        told["features"] = [made.feature(1, more=HOSTILE, less=HOSTILE, plain=HOSTILE, id=HOSTILE, unit=HOSTILE)]
    if where == "groups":
        told["groups"][0] |= {"title": HOSTILE, "group": HOSTILE}
        told["model"] = HOSTILE
    models = {HOSTILE: (made.scores(spearman_pooled=None), made.details("model"))} if where == "models" else None
    answer = answer_of(
        models,
        tracks=tracks,
        explanation=told,
        notes=[HOSTILE, f"reference protocol: {HOSTILE}"] if where == "notes" else (),
        failures=[(HOSTILE, "labels", HOSTILE)] * 20 if where == "failures" else (),
        settings={"models": [HOSTILE], "recipe": HOSTILE, "features": [HOSTILE]} if where == "run" else (),
    )
    if where == "run":
        answer.run.update(clips=HOSTILE, labels=HOSTILE, versions={HOSTILE: HOSTILE})
        answer.run["groups"] = [{"name": HOSTILE, "title": HOSTILE}]
    if where == "models":
        for part in answer.summary["models"][HOSTILE].values():
            part["reason"] = HOSTILE
    html = memorability_html(answer)
    page = page_of(html)
    assert "alert(1)" in page.text
    assert "{{7*7}}" in page.text
    assert html.count("<script") == html.count("</script") == 1
    assert "<img" not in html
    assert html.count("</style") == html.count("<style") == 1
    assert html.count("</title>") == html.count("<title>")
    assert "\x1b" not in html
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_a_name_that_runs_backwards_does_not_turn_the_rest_of_the_page(answer_of):
    html = memorability_html(answer_of(tracks={"a\u202eb": 0.2, "\u05d0": 0.7}, explanation=None))
    assert "\u202e" not in html
    assert "<bdi>\u05d0</bdi>" in html


def test_the_clips_that_were_missed_most_are_named(answer_of, page_of):
    answer = answer_of(explanation=None)
    for row in answer.predictions:
        row["predicted"] = row["truth"] + {"clip 07": 0.4, "clip 11": -0.5, "clip 30": 0.3}.get(row["track"], 0.01)
    text = page_of(memorability_html(answer)).text
    assert "Furthest off: clip 11 true 0.36, predicted -0.14 clip 07 true 0.30, predicted 0.71 clip 30" in text


def test_a_file_for_235_clips_stays_small(answer_of):
    tracks = {f"folder/a rather long name of an album/and of the track {n:03d}": 0.2 + n / 400 for n in range(235)}
    answer = answer_of(tracks=tracks)
    for clip in answer.explanation["clips"]:
        clip["reasons"] = [{"feature": "brightness.feature_1", "text": "x" * 100 + ": +0.10"}] * 5
    assert len(memorability_html(answer).encode()) < 3_000_000


def test_every_picture_has_a_name_in_both_widths_and_a_table(page):
    figures = [attrs["id"] for attrs in page.all("figure")]
    assert figures == ["figure-scores", "figure-scatter", "figure-groups"]
    named = page.all("svg", role="img")
    assert len(named) == 2 * len(figures)
    assert all(attrs["aria-label"] for attrs in named)
    hidden = [attrs for attrs in page.all("svg") if "role" not in attrs]
    assert all(attrs.get("aria-hidden") == "true" for attrs in hidden)
    assert page.text.count("The numbers behind it") == len(figures)


def test_a_missing_value_is_a_dash_with_its_reason(page):
    assert [a["title"] for a in page.all("abbr")] == ["in no fold both the scores and the predictions vary"]
    assert "\N{EN DASH} in no fold both the scores and the predictions vary" in page.text


def test_without_intervals_the_reason_is_said(answer_of, page_of, made):
    bare = {name: (value, None, None) for name, (value, _, _) in made.metrics.items()}
    models = {"svr": (made.scores(**bare), made.details("model"))}
    page = page_of(memorability_html(answer_of(models)))
    assert "how sure that is cannot be said (3 groups; 8 are needed for an interval)" in page.text
    assert "\N{EN DASH} 3 groups; 8 are needed for an interval" in page.text


def test_a_study_of_controls_only_says_so(answer_of, page_of):
    answer = answer_of({}, explanation=None)
    page = page_of(memorability_html(answer))
    assert "Only controls were tested" in page.text
    assert len(cards(page)) == 40
    assert {attrs["data-predicted"] for attrs in cards(page)}


def test_without_an_explanation_clips_are_listed_all_the_same(answer_of, page_of):
    page = page_of(memorability_html(answer_of(explanation=None)))
    assert "Nothing was explained" in page.text
    assert len(cards(page)) == 40
    assert [attrs["id"] for attrs in page.all("figure")] == ["figure-scores", "figure-scatter"]


def test_a_model_that_uses_nothing_is_said_to_use_nothing(answer_of, page_of, made):
    tracks = {"a": 0.2, "b": 0.7}
    told = made.explanation_of(tracks, [made.feature(1, mean_abs=0.0, sign=0, stability=0.0)])
    told["groups"] = [{**each, "mean_abs": 0.0} for each in told["groups"]]
    for clip in told["clips"]:
        clip["reasons"] = []
    text = page_of(memorability_html(answer_of(tracks=tracks, explanation=told))).text
    assert "Nothing moves the predictions" in text
    assert "No feature moves any prediction" in text
    assert "No feature moved this prediction" in text


def test_without_a_ceiling_the_reason_is_said_and_no_line_is_drawn(answer_of, page_of):
    page = page_of(memorability_html(answer_of(ceiling=None)))
    assert "Ceiling: \N{EN DASH} (there are no halves and no counts)" in page.text
    assert not page.all("line", class_="ceiling")
    assert not [attrs for attrs in page.all("line") if attrs["class"] == "ceiling"]


def test_reasons_of_a_model_that_may_be_chance_come_with_a_warning(answer_of, page_of, made):
    models = {"svr": (made.scores(spearman_pooled=(0.1, -0.08, 0.27)), made.details("model"))}
    text = page_of(memorability_html(answer_of(models))).text
    assert "What drives the predictions The model shows no clear skill, so its reasons are no evidence" in text
    assert "predicts a higher score" not in text
    assert "no evidence" not in page_of(memorability_html(answer_of())).text


def test_no_failure_and_many_failures(answer_of, page_of):
    assert "Nothing: every line of the table was used." in page_of(memorability_html(answer_of())).text
    one = page_of(memorability_html(answer_of(failures=[("a", "labels", "has no score")])))
    assert "1 line or clip was left out" in one.text
    assert "the table of scores: has no score" in one.text
    many = [(f"lost {n:02d}", "audio", "is empty") for n in range(FIRST_FAILURES + 30)]
    page = page_of(memorability_html(answer_of(failures=many)))
    assert "30 more" in page.text
    assert all(name in page.text for name, *_ in many)


def test_notes_are_shown_and_the_reference_stands_apart(answer_of, page_of, made):
    models = {
        "svr": (made.scores(), made.details("model")),
        "svr@audmem": (made.scores(spearman_pooled=(0.24, 0.1, 0.37)), made.details("reference", n=38)),
    }
    notes = ["the features notes were left out: onnxruntime is not installed", "reference protocol: no mood"]
    html = memorability_html(answer_of(models, notes=notes, settings={"recipe": "audmem"}))
    page = page_of(html)
    assert re.findall(r'<tr class="(\w+)">', html) == ["model", "control", "control", "reference"] * 2
    assert "the features notes were left out: onnxruntime is not installed" in page.text
    assert "no mood" in page.text
    assert "reference protocol: no mood" not in page.text
    assert "0.24 (0.10-0.37)" in page.text
    assert "--recipe audmem" in page.text
    assert page.text.count("not to be compared") >= 2


def test_the_command_makes_the_same_settings_again(answer_of, page_of):
    settings = {
        "segment_s": 1.0,
        "hop_s": 0.5,
        "shifts": [-2.0, 2.0],
        "weights": "none",
        "models": ["svr:c=3", "ridge"],
    }
    answer = answer_of(settings=settings)
    answer.run["clips"] = "my 'odd' clips; rm"
    html = memorability_html(answer)
    command = unescape(re.search(r"<pre><code>(.*?)</code></pre>", html, flags=re.DOTALL).group(1))
    words = shlex.split(command.replace("\\\n", ""))
    assert words[:3] == ["otoscope", "memorability", "evaluate"]
    assert words[words.index("--clips") + 1] == "my 'odd' clips; rm"
    got = {}

    def stop(clips, labels, out, settings, **_):
        got.update(settings=settings, clips=clips)
        raise SpecError("far enough")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otoscope.studies.memorability.evaluate.evaluate", stop)
        CliRunner().invoke(app, words[2:])
    assert got["settings"].describe() == answer.run["settings"]


@pytest.fixture
def clips(tmp_path):
    """Give a folder with a clip, a long one, one that is no sound, and two of one name."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    for name in ("one.wav", "twice.wav", "twice.flac"):
        soundfile.write(tmp_path / name, noise, 16_000)
    soundfile.write(tmp_path / "long.wav", np.tile(noise, 40), 16_000)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    return tmp_path


def test_sound_is_embedded_and_what_cannot_be_heard_is_named(answer_of, page_of, clips):
    tracks = {"one": 0.1, "long": 0.2, "twice": 0.5, "broken": 0.6, "gone": 0.9}
    html = memorability_html(answer_of(tracks=tracks, explanation=None), clips=clips)
    page = page_of(html)
    sources = [attrs["src"] for attrs in page.all("audio")]
    lengths = []
    for source in sources:
        assert source.startswith("data:audio/mpeg;base64,")
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        lengths.append(len(samples) / rate)
    assert lengths == pytest.approx([30.0, 1.0], abs=0.2)  # MP3 adds some silence
    assert "3 of 5 clips cannot be heard here" in page.text
    for reason in ("there are 2 files of that name", "there is no such file"):
        assert page.text.count(reason) == 2  # in the card and in the list
    assert "media-src data:" in html


def test_without_clips_there_is_no_sound(page):
    assert not page.all("audio")
    assert "cannot be heard" not in page.text


def test_a_folder_without_sound_is_refused(answer_of, tmp_path):
    with pytest.raises(SpecError, match="holds no sound"):
        memorability_html(answer_of(), clips=tmp_path)


def test_it_is_the_same_every_time(answer_of):
    assert memorability_html(answer_of()) == memorability_html(answer_of())


def test_the_interval_of_every_model_stands_in_the_picture(answer_of, page_of, made):
    models = {
        f"model {n}": (made.scores(spearman_pooled=(n / 10, n / 10 - 0.1, n / 10 + 0.1)), made.details("model"))
        for n in range(1, 6)
    }
    drawn = re.findall(r"<text class=\"strong[^>]*>([^<]*)</text>", memorability_html(answer_of(models)))
    for n in range(1, 6):
        assert drawn.count(interval(n / 10, n / 10 - 0.1, n / 10 + 0.1)) == 2  # wide and narrow
