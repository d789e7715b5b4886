"""The group that asks openSMILE itself."""

import numpy as np
import pytest

from otoscope.features.opensmile import OpenSmile, _names
from otoscope.features.sound import Sound
from otoscope.testing.signals import speechlike


def test_names_and_words_are_there_whether_openSMILE_is_or_not(monkeypatch):
    group = OpenSmile()
    assert len(group.features) == len({feature.id for feature in group.features}) == 88
    assert len({feature.plain for feature in group.features}) == 88
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'otoscope[opensmile]'" in group.missing()


def test_values_are_those_of_openSMILE():
    opensmile = pytest.importorskip("opensmile")
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
    assert set(_names()) == set(smile.feature_names)
    sound = Sound(speechlike(3, duration_s=2.0)[0])
    values = OpenSmile().compute(sound)
    there = smile.process_signal(sound.waveform.samples, 22_050).iloc[0]
    for name, feature, value in zip(_names(), OpenSmile().features, values, strict=True):
        assert value == there[name], feature.id
    f0 = dict(zip((f.id for f in OpenSmile().features), values, strict=True))["opensmile.f0_mean"]
    assert 12 < f0 < 45
    assert np.isfinite(values).all()
