"""Laws of responses, exclusions, scores and reliability, for any answers."""

from dataclasses import fields

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otoscope.game.exclusions import PRESETS, Limits, exclude
from otoscope.game.measures import corrected_interval, d_prime, d_prime_interval, fit_beta, rate, wilson
from otoscope.game.pairs import ANSWER_RULES, count, find_pairs
from otoscope.game.reliability import spearman_brown, split_half
from otoscope.game.responses import read_responses, write_responses
from otoscope.game.scoring import score_responses
from otoscope.game.synthetic import ListenerModel, plain_slots, simulate_responses

SEEDS = st.integers(0, 10_000)
COUNTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=20)


@st.composite
def tables(draw):
    """Draw a study: any layout, any listeners."""
    n_targets, n_vigilance = draw(st.integers(1, 6)), draw(st.integers(0, 3))
    slots = plain_slots(
        n_targets=n_targets,
        n_vigilance=n_vigilance,
        n_fillers=draw(st.integers(0, 4)),
        n_phases=draw(st.integers(1, 3)),
        seed=draw(SEEDS),
    )
    shares = st.floats(0, 0.5)
    model = ListenerModel(
        knew=draw(shares), timeout=draw(shares), careless=draw(shares), no_headphones=draw(shares), crossing=-0.3
    )
    n_items = 1 + max(slot.item for slot in slots)
    clips = np.linspace(-2, 2, n_items + draw(st.integers(0, 3)))
    return simulate_responses(clips, n_listeners=draw(st.integers(1, 9)), slots=slots, model=model, seed=draw(SEEDS))


def split(counts):
    n = np.array([max(pair) for pair in counts], dtype=float)
    return np.array([min(pair) for pair in counts], dtype=float), n


@given(tables(), SEEDS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_tables_are_read_as_written_in_any_order_and_derived_as_scheduled(tmp_path_factory, table, seed):
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    write_responses(path, table)
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *np.random.default_rng(seed).permutation(lines).tolist()]))
    read = read_responses(path)
    for field in fields(table):
        assert np.array_equal(
            getattr(read, field.name), getattr(table, field.name), equal_nan=field.name == "rt_ms"
        ), field.name
    lines = [",".join(np.array(line.split(","))[[0, 1, 2, 8, 6]]) for line in lines]
    path.write_text("\n".join(["session,slot,track,answer,phase", *lines]))
    bare = read_responses(path)
    for name in ("presentation", "lag", "crossed", "answer"):
        assert np.array_equal(getattr(bare, name), getattr(table, name)), name


@given(tables())
@settings(max_examples=30, deadline=None)
def test_sittings_are_kept_or_excluded_and_stricter_limits_exclude_more(table):
    for limits in (*PRESETS.values(), Limits(headphones=True)):
        found = exclude(table, limits)
        assert sorted((*found.kept, *found.excluded)) == list(table.sessions)
        assert set(found.excluded) == {session for rule in found.rules for session in rule.sessions}
        assert all(found.reasons(session) for session in found.excluded)
        kept = table.of_sessions(found.kept)
        assert exclude(kept, limits).excluded == ()
    strict, loose = Limits(vigilance=0.8, false_alarms=0.1, timeouts=0.05), Limits(vigilance=0.3, false_alarms=0.6)
    assert set(exclude(table, loose).excluded) <= set(exclude(table, strict).excluded)


@given(tables())
@settings(max_examples=30, deadline=None)
def test_counts_are_consistent_and_rules_nest(table):
    for rule in ANSWER_RULES.values():
        counted, pairs = count(table, rule=rule), find_pairs(table, rule=rule)
        assert (counted.hits <= counted.pairs).all()
        assert (counted.alarms <= counted.firsts).all()
        assert counted.pairs.sum() == pairs.n
        assert (counted.pairs <= 1).all()  # a clip is a pair once in a sitting
        assert pairs.n + pairs.n_dropped == ((table.role == "target") & (table.presentation == 2)).sum()
    assert find_pairs(table).n <= find_pairs(table, rule=ANSWER_RULES["every-pair"]).n


@given(tables(), SEEDS)
@settings(max_examples=15, deadline=None)
def test_scores_do_not_depend_on_the_order_of_rows(table, seed):
    turned = table.take(np.random.default_rng(seed).permutation(table.n_rows))
    assert score_responses(table, lag_model=False).tracks == score_responses(turned, lag_model=False).tracks
    assert (
        split_half(table, n_splits=5, interval=False).spearman
        == split_half(turned, n_splits=5, interval=False).spearman
    )


@given(COUNTS, COUNTS)
def test_intervals_hold_their_scores_and_d_prime_is_antisymmetric(one, other):
    size = min(len(one), len(other))
    (hits, n), (alarms, firsts) = split(one[:size]), split(other[:size])
    some = (n > 0) & (firsts > 0)
    for value, (low, high) in (
        (rate(hits, n), wilson(hits, n)),
        (rate(hits, n) - rate(alarms, firsts), corrected_interval(hits, n, alarms, firsts)),
        (d_prime(hits, n, alarms, firsts), d_prime_interval(hits, n, alarms, firsts)),
    ):
        assert np.isfinite(value[some]).all()
        assert (low[some] <= value[some]).all()
        assert (value[some] <= high[some]).all()
        assert np.isnan(value[n == 0]).all()
    assert np.allclose(d_prime(hits, n, alarms, firsts), -d_prime(alarms, firsts, hits, n), equal_nan=True)


@given(COUNTS)
@settings(deadline=None)
def test_shrunk_scores_lie_between_their_own_rate_and_the_mean(counts):
    hits, n = split(counts)
    if not n.any():
        return
    fit = fit_beta(hits, n)
    raw, shrunk = rate(hits, n)[n > 0], fit.score(hits, n)[n > 0]
    low, high = (end[n > 0] for end in fit.interval(hits, n))
    assert (np.minimum(raw, fit.mean) - 1e-9 <= shrunk).all()
    assert (shrunk <= np.maximum(raw, fit.mean) + 1e-9).all()
    assert ((low >= 0) & (low < high) & (high <= 1)).all()


@given(st.floats(0.01, 0.99), st.floats(0.1, 20), st.floats(0.1, 20))
def test_spearman_brown_composes_and_rises_with_listeners(r, times, more):
    both = spearman_brown(spearman_brown(r, times), more)
    assert abs(both - spearman_brown(r, times * more)) < 1e-9
    assert (spearman_brown(r, times) >= r) == (times >= 1) or abs(times - 1) < 1e-9
