"""What happens to three dozen broken inputs among healthy ones, and to commands that cannot be done as asked."""

import contextlib
import csv
import io
import shutil
import struct
import sys

import numpy as np
import pytest
import soundfile

from otoscope.cli.main import main
from otoscope.f0.labels import LabelCache
from otoscope.store import read_about, read_arrays, read_json, slug
from otoscope.studies.pitch.answer import is_language, read_answer, write_answer
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.score import COLUMNS
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.solve import ROLES
from otoscope.testing.signals import speechlike

RATE = 16_000  # Hz
DURATION_S = 1.5
FIELDS = ("path", "language", "split", "speaker", "start", "end", "id")
LANGUAGES = ("en_us", "vi_vn")
N_PLAIN = {"train": 7, "dev": 3, "test": 1}  # clips of each language
ODD_SEED = 500
TOL_VOICED = 0.1  # of the frames that are voiced in the same sound, plainly written
TOL_VOICED_LOW_RATE = 0.25  # at 8 kHz, and where it is clipped


def call(*args):
    """Run the program; give its exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["otoscope", *map(str, args)])
        with pytest.raises(SystemExit) as left:
            main()
    return left.value.code or 0, out.getvalue(), err.getvalue()


def speech(seed, *, rate=RATE, duration_s=DURATION_S):
    return speechlike(seed, duration_s=duration_s, sample_rate=rate)[0].samples


ODD = speech(ODD_SEED)
NOISE = np.random.default_rng(0).bytes(3_000)


def sound(samples, rate=RATE, **how):
    return lambda path: soundfile.write(path, samples, rate, **how)


def content(data):
    return lambda path: path.write_bytes(data)


def cut(n_bytes=None, **how):
    def write(path):
        soundfile.write(path, speech(1, duration_s=4), RATE, **how)
        whole = path.read_bytes()
        path.write_bytes(whole[: n_bytes or len(whole) // 2])

    return write


def patched(first, data):
    def write(path):
        soundfile.write(path, speech(1), RATE)
        whole = bytearray(path.read_bytes())
        whole[first : first + len(data)] = data
        path.write_bytes(whole)

    return write


def with_one(value):
    samples = ODD.copy()
    samples[RATE // 2] = value
    return samples


# The name of the file: what writes it, and the reason that is given.
BAD_FILES = {
    "empty.wav": (content(b""), "the file is empty (0 bytes)"),
    "one byte.wav": (content(b"R"), "cannot be decoded"),
    "half a header.wav": (cut(30), "cannot be decoded"),
    "header only.wav": (cut(44), "truncated: the header promises 128000 bytes and 0 are there"),
    "truncated.wav": (cut(), "truncated: the header promises 128000 bytes and 63978 are there"),
    "truncated.aiff": (cut(), "truncated: the header promises"),
    "truncated.flac": (cut(), "cannot be decoded"),
    "truncated.ogg": (cut(), "truncated: the file ends inside an Ogg page"),
    "truncated.opus": (cut(format="OGG", subtype="OPUS"), "truncated: the file ends inside an Ogg page"),
    "truncated.mp3": (cut(), "truncated: 64000 samples are promised"),
    "damaged.flac": (patched(20_000, bytes(600)), "cannot be decoded"),
    "text.wav": (content(b"this is a note and no sound\n" * 40), "cannot be decoded"),
    "picture.flac": (content(b"\x89PNG\r\n\x1a\n" + NOISE), "cannot be decoded"),
    "page.mp3": (content(b"<!DOCTYPE html><title>404</title>" * 40), "cannot be decoded"),
    "archive.wav": (content(b"PK\x03\x04" + NOISE), "cannot be decoded"),
    "noise.ogg": (content(NOISE), "cannot be decoded"),
    "rate of zero.wav": (patched(24, struct.pack("<I", 0)), "cannot be decoded"),
    "no samples.wav": (sound(np.zeros(0)), "holds no samples"),
    "one sample.wav": (sound(ODD[:1]), "lasts 0 ms; 100 ms is the least"),
    "20 ms.wav": (sound(ODD[8_000:8_320]), "lasts 20 ms; 100 ms is the least"),
    "nan.wav": (sound(with_one(np.nan), subtype="FLOAT"), "1 of 24000 samples is NaN or infinite, the first at 0.5"),
    "infinite.wav": (sound(with_one(np.inf), subtype="FLOAT"), "1 of 24000 samples is NaN or infinite"),
    "all nan.wav": (sound(np.full(RATE, np.nan), subtype="DOUBLE"), "16000 of 16000 samples are NaN"),
    "silence.wav": (sound(np.zeros(2 * RATE)), "is silent"),
    "direct current.wav": (sound(np.full(RATE, 0.5)), "is silent"),
    "hiss at -100 dB.wav": (sound(2e-5 * ODD, subtype="FLOAT"), "is silent"),
    "out of phase.wav": (sound(np.stack([ODD, -ODD], axis=1)), "is silent"),
}
BAD_STRETCHES = {
    "end past the file": ("0.2", "99", "end is 99.0 s; it must lie after the start (0.2 s) and not after the end"),
    "start past the file": ("77", "", "start is 77.0 s; the file lasts from 0 to 1.500 s"),
    "stretch of 50 ms": ("0.5", "0.55", "lasts 50 ms; 100 ms is the least"),
}
BAD_ROWS = {
    "wrong path": ({"path": "gone.wav"}, "there is no file gone.wav"),
    "backslashes": ({"path": "sub\\a.wav"}, "there is no file sub\\a.wav"),
    "folder": ({"path": "sub"}, "sub is a folder; a sound file is needed"),
    "dangling link": ({"path": "dangling.wav"}, "there is no file dangling.wav"),
    "empty path": ({"path": ""}, "the path is empty"),
    "empty language": ({"language": ""}, "the language is empty"),
    "ill-formed language": ({"language": "??"}, "the language is '??'"),
    "language by name": ({"language": "English"}, "the language is 'English'"),
    "unknown split": ({"split": "training"}, "the split is 'training'; choose from train, dev"),
    "no split": ({"split": ""}, "no split is named here"),
    "end before start": ({"start": "1", "end": "0.5"}, "end is 0.5 s; it must lie after the start (1 s)"),
    "nothing between": ({"start": "1", "end": "1"}, "end is 1 s; it must lie after the start (1 s)"),
    "negative start": ({"start": "-0.5"}, "start is -0.5 s; it must be 0 or above"),
    "start in words": ({"start": "soon"}, "start is 'soon'; seconds as a number with a point are needed"),
    "decimal comma": ({"start": "0,5"}, "start is '0,5'; seconds as a number with a point are needed"),
    "end without end": ({"end": "inf"}, "end is inf s"),
    "en_us train 0": ({}, "line 2 has this id already; the first one stays"),
}
BAD_LINES = {
    "too few fields": ("plain.wav,en_us", "has 2 fields, the header has 7"),
    "too many fields": ("plain.wav,en_us,train,x,,,y,,", "has 9 fields, the header has 7"),
    "open quote": ('"plain.wav,en_us,train,x,,,z', "a quote is opened and not closed"),
}
TOO_LOUD = "a factor of 1e19.wav"
ODD_FILES = {
    "plain.wav": (sound(ODD), TOL_VOICED),
    "8 channels.wav": (sound(np.repeat(ODD[:, None], 8, axis=1)), TOL_VOICED),
    "192 kHz.wav": (sound(speech(ODD_SEED, rate=192_000), 192_000), TOL_VOICED),
    "8 kHz.wav": (sound(speech(ODD_SEED, rate=8_000), 8_000), TOL_VOICED_LOW_RATE),
    "24 bits.wav": (sound(ODD, subtype="PCM_24"), TOL_VOICED),
    "doubles.wav": (sound(ODD.astype(np.float64), subtype="DOUBLE"), TOL_VOICED),
    "8 bits of mu-law.wav": (sound(ODD, subtype="ULAW"), TOL_VOICED),
    "vorbis.ogg": (sound(ODD), TOL_VOICED),
    "opus.opus": (sound(ODD, format="OGG", subtype="OPUS"), TOL_VOICED),
    "layer 3.mp3": (sound(ODD), TOL_VOICED),
    "apple.aiff": (sound(ODD), TOL_VOICED),
    "LOUD NAME.FLAC": (sound(ODD, format="FLAC"), TOL_VOICED),
    "no suffix": (sound(ODD, format="WAV"), TOL_VOICED),
    "quiet at -60 dB.wav": (sound(2e-3 * ODD, subtype="PCM_24"), TOL_VOICED),
    "offset.wav": (sound(0.4 + ODD), TOL_VOICED),
    "clipped.wav": (sound(np.clip(8 * ODD, -1, 1)), TOL_VOICED_LOW_RATE),
    "Zoë, ein schöner Tag — 聲調.wav": (sound(ODD), TOL_VOICED),
    "never filled in.wav": (patched(40, struct.pack("<I", 0xFFFF_FFFF)), None),
}


def plain_rows(folder, languages=LANGUAGES):
    for number, code in enumerate(languages):
        for split, n in N_PLAIN.items():
            for i in range(n):
                name = f"{code} {split} {i}"
                (folder / code).mkdir(exist_ok=True)
                soundfile.write(
                    folder / code / f"{split} {i}.wav", speech(1_000 * number + 10 * len(split) + i), RATE
                )
                yield name, {"path": f"{code}/{split} {i}.wav", "language": code, "split": split}


def write_manifest(path, rows, lines=()):
    """Write rows of (id, cells) and then raw lines; give the number of the line of the first of these."""
    text = io.StringIO()
    table = csv.DictWriter(text, FIELDS, restval="", lineterminator="\n")
    table.writeheader()
    for name, cells in rows:
        table.writerow({"id": name, "speaker": name, **cells})
    path.write_text(text.getvalue() + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return 2 + len(rows)


def usual(i):
    """Give cells that are in order, for the i-th broken input."""
    return {"path": "plain.wav", "language": LANGUAGES[i % 2], "split": ("train", "dev", "test")[i % 3]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Write everything into one folder; give the manifest, what must fail and what must not."""
    folder = tmp_path_factory.mktemp("broken inputs")
    rows = list(plain_rows(folder))
    assert rows[0][0] == "en_us train 0"
    expected = {}
    for i, (name, (write, _)) in enumerate(ODD_FILES.items()):
        write(folder / name)
        rows.append((name, {"path": name, "language": LANGUAGES[i % 2], "split": "test"}))
    rows.append(("absolute", {"path": str(folder / "plain.wav"), "language": "vi_vn", "split": "test"}))
    rows.append(
        ("stretch", {"path": "plain.wav", "language": "en_us", "split": "test", "start": ".25", "end": "1.5"})
    )
    rows.append(("not in the table", {"path": "plain.wav", "language": "gsw_CH", "split": "test"}))
    healthy = dict(rows)
    (folder / "sub").mkdir()
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    for i, (name, (write, reason)) in enumerate(BAD_FILES.items()):
        write(folder / name)
        rows.append((name, {**usual(i), "path": name}))
        expected[name] = ("audio", reason)
    sound((1e19 * ODD.astype(np.float64)).astype(np.float32), subtype="FLOAT")(folder / TOO_LOUD)
    rows.append((TOO_LOUD, {**usual(0), "path": TOO_LOUD}))
    expected[TOO_LOUD] = ("model", "logmel: layer 0 (log-mel) has states that are not finite")
    for i, (name, (start, end, reason)) in enumerate(BAD_STRETCHES.items()):
        rows.append((name, {**usual(i), "start": start, "end": end}))
        expected[name] = ("audio", reason)
    for i, (name, (cells, reason)) in enumerate(BAD_ROWS.items()):
        rows.append((name, {**usual(i), **cells}))
        expected[name] = ("corpus", reason)
    manifest = folder / "speech.csv"
    first = write_manifest(manifest, rows, [line for line, _ in BAD_LINES.values()])
    for i, (_, reason) in enumerate(BAD_LINES.values()):
        expected[f"speech.csv line {first + i}"] = ("corpus", reason)
    return manifest, expected, healthy


@pytest.fixture(scope="module")
def ran(corpus, tmp_path_factory):
    """Run the program on everything."""
    out = tmp_path_factory.mktemp("out") / "run"
    with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore", invalid="ignore"):
        patch.setenv("OTOSCOPE_CACHE", str(out.parent / "cache"))
        said = call("pitch", "run", "--corpus", f"folder:{corpus[0]}", "--model", "logmel", "--out", out)
    return out, *said


def computed(run, model="logmel"):
    """Give the clips that went into cells, by split."""
    found = {}
    for room in ("cells", "test"):
        for path in (run / room / slug(model)).glob("*.safetensors"):
            found.setdefault(path.name.split(".")[1], []).extend(read_about(path)["clips"])
    return {split: sorted(clips) for split, clips in found.items()}


def of_split(healthy, split):
    return sorted(name for name, cells in healthy.items() if cells["split"] == split)


@pytest.mark.parametrize("name", [*BAD_FILES, TOO_LOUD, *BAD_STRETCHES, *BAD_ROWS])
def test_each_broken_input_is_listed_once_with_its_stage_and_reason(corpus, ran, name):
    stage, reason = corpus[1][name]
    (failure,) = [entry for entry in read_json(ran[0] / "failures.json") if entry["clip"] == name]
    assert failure["stage"] == stage
    assert reason in failure["reason"]


@pytest.mark.parametrize("place", range(len(BAD_LINES)), ids=list(BAD_LINES))
def test_a_line_that_cannot_be_read_is_listed_by_its_number(corpus, ran, place):
    name = list(corpus[1])[len(corpus[1]) - len(BAD_LINES) + place]
    (failure,) = [entry for entry in read_json(ran[0] / "failures.json") if entry["clip"] == name]
    assert failure["stage"] == "corpus"
    assert failure["reason"].startswith(f"{name.removeprefix('speech.csv ')}: ")
    assert list(BAD_LINES.values())[place][1] in failure["reason"]


def test_nothing_else_is_listed(corpus, ran):
    listed = [entry["clip"] for entry in read_json(ran[0] / "failures.json")]
    assert sorted(listed) == sorted(corpus[1])
    assert len(listed) == len(BAD_FILES) + 1 + len(BAD_STRETCHES) + len(BAD_ROWS) + len(BAD_LINES) >= 36


def test_every_healthy_clip_is_computed_and_no_other(corpus, ran):
    assert computed(ran[0]) == {split: of_split(corpus[2], split) for split in ("train", "dev", "test")}


def test_the_table_counts_the_healthy_clips(corpus, ran):
    rows, answer = read_answer(ran[0])
    tested = {code: 0 for code in (*LANGUAGES, "gsw_CH")}
    for cells in corpus[2].values():
        tested[cells["language"]] += cells["split"] == "test"
    counts = {
        (row["test"], row["n_utterances"])
        for row in rows
        if (row["train"], row["target"], row["metric"]) == ("pool", "log2_f0", "r2")
        and (row["test"] == "mean" or is_language(row["test"]))
    }
    assert counts == {*tested.items(), ("mean", sum(tested.values()))}
    assert answer["n_failures"] == len(corpus[1])


@pytest.mark.parametrize("name", [name for name, (_, tolerance) in ODD_FILES.items() if tolerance])
def test_an_unusual_file_holds_the_same_voice_as_a_plain_one(ran, name):
    voiced = {}
    for path in (ran[0] / "test" / "logmel").glob("*.safetensors"):
        arrays, about = read_arrays(path)
        n = arrays["rows.0"][:, ROLES.index("pool"), COLUMNS.index("log2_f0"), 0]
        voiced.update(zip(about["clips"], n, strict=True))
    assert voiced["plain.wav"] > 30
    assert voiced[name] == pytest.approx(voiced["plain.wav"], rel=ODD_FILES[name][1])


def test_the_program_says_what_was_left_out_and_leaves_with_1(corpus, ran):
    out, code, said, complained = ran
    assert code == 1
    assert "Probe trained on other languages only" in said
    assert f"{len(corpus[1])} clips were left out: see {out / 'failures.json'}" in said
    lines = complained.splitlines()
    assert lines[0] == f"{len(corpus[1])} clips were left out (all in {out / 'failures.json'}):"
    assert lines[-1] == f"  and {len(corpus[1]) - 12} more"
    assert len(lines) == 14
    assert all(any(line.startswith(f"  {name} [") for name in corpus[1]) for line in lines[1:-1])


def test_a_language_outside_the_table_is_noted_and_has_no_region(ran):
    _, answer = read_answer(ran[0])
    assert any("gsw_CH" in note and "without region and tone type" in note for note in answer["notes"])
    assert read_json(ran[0] / "run.json")["regions"]["gsw_CH"] is None


def test_show_lists_what_the_corpus_itself_cannot_use(corpus):
    code, said, complained = call("corpus", "show", f"folder:{corpus[0]}")
    n_rows = len(BAD_ROWS) + len(BAD_LINES)
    assert code == 1
    assert complained.splitlines()[0] == f"{n_rows} clips were left out:"
    assert all(word in said for word in (*LANGUAGES, "gsw_CH"))


def test_another_tracker_leaves_out_the_same_clips_for_the_same_reasons(corpus, ran, tmp_path):
    kept = [*list(BAD_FILES)[::2], *BAD_STRETCHES]
    expected = {name: corpus[1][name] for name in kept}
    with corpus[0].open(encoding="utf-8", newline="") as file:
        rows = {row[-1]: row for row in reversed([*csv.reader(file)]) if len(row) == len(FIELDS)}
    wanted = {*expected, *(n for n in corpus[2] if n not in ODD_FILES or n in list(ODD_FILES)[:4])}
    small = corpus[0].with_name("small.csv")
    with small.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(row for name, row in reversed(rows.items()) if name in {"id", *wanted})
    result = run_pitch(
        f"folder:{small}",
        ["logmel:bands=20"],
        tmp_path / "run",
        PitchSettings(tracker="yaapt-compat", n_resamples=50),
        labels=LabelCache(tmp_path / "labels"),
    )
    write_answer(tmp_path / "run")
    before = {entry["clip"]: entry for entry in read_json(ran[0] / "failures.json")}
    found = {f.clip_id: {"clip": f.clip_id, "stage": f.stage, "reason": f.reason} for f in result.failures}
    assert found == {name: before[name] for name in expected}
    assert sum(map(len, computed(tmp_path / "run", "logmel:bands=20").values())) == len(wanted) - len(expected)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Give a folder with a small healthy corpus and a finished run."""
    folder = tmp_path_factory.mktemp("good")
    write_manifest(folder / "speech.csv", list(plain_rows(folder)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTOSCOPE_CACHE", str(folder / "cache"))
        code, _, said = call(*run_of(folder), "--out", folder / "run")
    assert (code, said) == (0, "")
    return folder


def run_of(folder, manifest="speech.csv", model="logmel:bands=8"):
    return ("pitch", "run", "--corpus", f"folder:{folder / manifest}", "--model", model)


def sweep_of(folder, shifts):
    return ("pitch", "sweep", "--corpus", f"folder:{folder / 'speech.csv'}", "--model", "mfcc", "--shifts", shifts)


# What is typed after `otoscope pitch run --corpus ... --model logmel:bands=8 --out NEW`, and what the line must say.
WRONG_RUNS = {
    "unknown model": (["--model", "hubrt"], "no model is called 'hubrt'; choose from ge2e, logmel, mfcc"),
    "unknown model setting": (["--model", "mfcc:coeff=3"], "mfcc: has no setting 'coeff'; choose from"),
    "value of the wrong kind": (["--model", "logmel:context=x"], "context is 'x'; it takes a whole number"),
    "model named twice": (["--model", "logmel:bands=8"], "a model is named twice: logmel:bands=8, logmel:bands=8"),
    "setting without a model": (["--model", "bands=8"], "the setting 'bands=8' follows no name"),
    "copy of a baseline": (["--model", "untrained:nothing#0"], "no model is called 'nothing'; choose from ge2e"),
    "unknown tracker": (["--tracker", "kaldy"], "no tracker 'kaldy'; choose from kaldi, praat, pyin, swift, yaapt"),
    "unknown tracker setting": (["--tracker", "kaldi:hop=9"], "no setting 'hop'; choose from correction, f0_max_hz"),
    "unknown corpus kind": (["--corpus", "flders:a"], "no corpus of the kind 'flders'; accepted are folder:PATH"),
    "corpus without a path": (["--corpus", "folder"], "the path is left out; accepted are folder:PATH"),
    "missing manifest": (["--corpus", "folder:/no/such.csv"], "there is no /no/such.csv; accepted are folder:PATH"),
    "unknown language": (["--languages", "en_us,xh_za"], "there is no language 'xh_za'; accepted are all, a region"),
    "list of no languages": (["--languages", ","], "','"),
    "unknown probe": (["--probe", "lasso"], "probe is 'lasso'; choose from ridge, ols"),
    "unknown precision": (["--precision", "half"], "precision is 'half'; choose from float64, float32"),
    "unknown group key": (["--cluster", "village"], "cluster is 'village', and not every clip has that group key"),
    "shards of nothing": (["--shard-clips", "0"], "shard_clips is 0; 1 is the least"),
}


@pytest.mark.parametrize("name", WRONG_RUNS)
def test_a_run_that_cannot_be_done_leaves_with_2_one_line_and_nothing_written(good, tmp_path, name):
    typed, reason = WRONG_RUNS[name]
    out = tmp_path / "new"
    refused(call(*run_of(good), *typed, "--out", out), reason)
    assert not out.exists()


def refused(result, *reasons):
    code, said, complained = result
    assert code == 2
    assert said == ""
    (line,) = complained.splitlines()
    assert line.startswith("otoscope: ")
    assert all(reason in line for reason in reasons), line


WRONG_MANIFESTS = {
    "no language": ("path,split\n{0},train\n", "has no column language", "Needed: path, language"),
    "misspelt column": ("path,langauge\n{0},en_us\n", "langauge is not known; did you mean language?"),
    "column twice": ("path,language,path\n{0},en_us,x\n", "the column path stands twice"),
    "empty": ("", "has no column path and no column language"),
    "header only": ("path,language\n", "holds no clips"),
    "no usable row": ("path,language\n{0},??\ngone.wav,en_us\n", "no clip can be used", "'??'", "no file gone.wav"),
    "no train split": ("path,language,split\n{0},en_us,test\n", "no clip is in the train split"),
    "leak": (
        "path,language,split,speaker\n{0},en_us,train,ann\n{1},en_us,test,ann\n",
        "en_us: speaker 'ann' is in train",
        "give one side to each speaker",
    ),
}


@pytest.mark.parametrize("name", WRONG_MANIFESTS)
def test_a_manifest_that_cannot_be_used_is_refused_with_the_way_out(good, tmp_path, name):
    text, *reasons = WRONG_MANIFESTS[name]
    (good / "wrong.csv").write_text(text.format("en_us/train 0.wav", "en_us/test 0.wav"))
    refused(call(*run_of(good, "wrong.csv"), "--out", tmp_path / "new"), *reasons)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("path,language\na.wav,en_us\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("path,language\nZoë.wav,en_us\n".encode("latin-1"), "is not UTF-8 text (line 2, byte 16)"),
        (b"RIFF\0\0\0\0WAVE", "holds zero bytes, so it is no text"),
    ],
)
def test_a_manifest_that_is_no_utf8_text_is_refused(good, tmp_path, content, reason):
    (good / "wrong.csv").write_bytes(content)
    refused(call(*run_of(good, "wrong.csv"), "--out", tmp_path / "new"), reason)


def test_a_corpus_whose_clips_all_fail_is_refused_with_the_first_reasons(good, tmp_path):
    (good / "void").write_bytes(b"")
    rows = [(name, {**cells, "path": "void"}) for name, cells in plain_rows(good)]
    write_manifest(good / "void.csv", rows)
    out = tmp_path / "new"
    refused(call(*run_of(good, "void.csv"), "--out", out), "none of the 14 training clips", "the file is empty")
    assert not out.exists()


def test_a_folder_that_is_not_a_run_is_left_alone(good, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    refused(call(*run_of(good), "--out", tmp_path), "this is not a run; name another folder")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_file_where_the_run_should_stand_is_left_alone(good, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    refused(call(*run_of(good), "--out", tmp_path / "thesis.tex"), "thesis.tex", "is a file")
    refused(call(*run_of(good), "--out", tmp_path / "thesis.tex" / "run"), "thesis.tex", "Not a directory")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("typed", "difference"),
    [
        (["--seed", "4"], "seed was 0 and is 4"),
        (["--probe", "ols"], "probe was 'ridge' and is 'ols'"),
        (["--tracker", "kaldi:hop_ms=20"], "tracker was 'yaapt' and is 'kaldi:hop_ms=20'"),
        (["--shard-clips", "5", "--seed", "1"], "seed was 0 and is 1; shard_clips was 64 and is 5"),
        (["--cluster", "id"], "cluster is 'id', and not every clip has that group key; all have: speaker"),
    ],
)
def test_a_run_with_other_settings_is_refused_and_stays_as_it_was(good, typed, difference):
    before = {path: path.read_bytes() for path in (good / "run").rglob("*") if path.is_file()}
    refused(call(*run_of(good), *typed, "--out", good / "run"), difference)
    assert {path: path.read_bytes() for path in (good / "run").rglob("*") if path.is_file()} == before


def test_the_table_of_no_run_or_of_half_a_run_is_refused(good, tmp_path):
    refused(call("pitch", "table", tmp_path / "none"), "is not a run: it has no run.json")
    refused(call("pitch", "table", good), "is not a run: it has no run.json")
    refused(call("pitch", "table", good / "speech.csv"), "is not a run")
    half = tmp_path / "half"
    shutil.copytree(good / "run", half)
    (half / "answer.json").unlink()
    for typed in ([], ["--json"], ["--rows"]):
        refused(call("pitch", "table", half, *typed), "has no answer", "run the same command again")
    tested = next((half / "test").glob("*/*.safetensors"))
    tested.unlink()
    refused(
        call("pitch", "table", half, "--matrix"), tested.name, "is missing or damaged; run the same command again"
    )
    (half / "done.json").unlink()
    for typed in ([], ["--json"], ["--rows"], ["--matrix"]):
        refused(call("pitch", "table", half, *typed), "is not finished: logmel:bands=8; run the same command again")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (["--metric", "r3"], "--metric: the run has no r3; it has r2, within_r"),
        (["--matrix", "--metric", "gpe"], "metric is 'gpe'; the matrix of log2_f0 has r2, within_r, mse"),
        (["--matrix", "--target", "pitch"], "target is 'pitch'; choose from log2_f0"),
        (["--model", "mfcc"], "--model: the run has no mfcc; it has logmel:bands=8"),
        (["--layer", "12"], "--layer: the run has no 12; it has 0"),
        (["--train", "others"], "--train: the run has no others; it has own, lolo, region, tone, pool"),
        (["--test", "en"], "--test: the run has no en; it has mean, region:western_european"),
        (["--test", ","], "','"),
        (["--target", "f0"], "--target: the run has no f0; it has log2_f0"),
    ],
)
@pytest.mark.parametrize("way", [[], ["--json"]])
def test_a_table_of_what_is_not_there_is_refused_with_what_is(good, typed, reason, way):
    refused(call("pitch", "table", good / "run", *typed, *way), reason)


@pytest.mark.parametrize(
    "shifts", ["soon", "", "10:0:1", "0:10:0", "0:10:-1", "0:10", "0:1:2:3", "nan", "0,inf", "0:inf:1", "0:1e9:1e-3"]
)
def test_shifts_that_are_no_shifts_are_refused_with_the_ways_to_write_them(good, shifts):
    refused(call(*sweep_of(good, shifts)), f"--shifts is {shifts!r}", "-60:60:10", "-20,0,20")


def test_a_sweep_that_has_nothing_to_do_is_refused(good):
    refused(call(*sweep_of(good, "0,0")), "each once")
    refused(call(*sweep_of(good, "4000")), "no frame of the train clips is voiced at all 1 shifts")
    refused(call("pitch", "sweep", "--corpus", f"folder:{good / 'speech.csv'}", "--model", ","), "','")


@pytest.mark.parametrize("typed", [["--bogus"], ["--seed", "x"], ["run"], []])
def test_what_cannot_be_parsed_leaves_with_2_and_the_usage(typed):
    code, _, complained = call("pitch", "run", *typed)
    assert code == 2
    assert "Usage: otoscope pitch run" in complained
