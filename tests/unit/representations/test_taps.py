import gc
import os
import subprocess
import sys
import textwrap
import threading

import pytest
import torch

from otoscope.representations.taps import Tap, TappedNetwork


class Doubling(torch.nn.Module):
    def __init__(self, *, as_tuple=False):
        super().__init__()
        self.as_tuple = as_tuple
        self.runs = 0

    def forward(self, hidden_states, beside=None):
        self.runs += 1
        twice = 2 * hidden_states
        return (twice, beside) if self.as_tuple else twice


def network(n_blocks=4, **kwargs):
    blocks = [Doubling(**kwargs) for _ in range(n_blocks)]

    def forward(states):
        for block in blocks:
            states = block(states)
            states = states[0] if isinstance(states, tuple) else states
        return states

    taps = [Tap(0, blocks[0], "input"), *(Tap(index, block) for index, block in enumerate(blocks, start=1))]
    return TappedNetwork(forward, taps), blocks


@pytest.mark.parametrize("as_tuple", [False, True])
def test_states_come_in_the_order_of_the_blocks(as_tuple):
    tapped, _ = network(as_tuple=as_tuple)
    got = [(name, state.item()) for name, state in tapped.states(torch.tensor(3.0))]
    assert got == [(0, 3.0), (1, 6.0), (2, 12.0), (3, 24.0), (4, 48.0)]


def test_what_a_block_is_given_by_keyword_is_seen():
    block = Doubling()
    tapped = TappedNetwork(lambda states: block(hidden_states=states), [Tap(0, block, "input")])
    assert [state.item() for _, state in tapped.states(torch.tensor(3.0))] == [3.0]


def test_nothing_is_computed_after_the_last_layer_that_is_wanted():
    tapped, blocks = network()
    assert [name for name, _ in tapped.states(torch.tensor(1.0), last=2)] == [0, 1, 2]
    assert [block.runs for block in blocks] == [1, 1, 0, 0]


def test_the_network_waits_for_whoever_takes_the_states():
    tapped, blocks = network(n_blocks=10)
    walk = tapped.states(torch.tensor(1.0))
    next(walk)
    for _ in range(50):
        threading.Event().wait(0.002)
    assert sum(block.runs for block in blocks) <= 2  # one waits, one is being handed on
    walk.close()
    assert sum(block.runs for block in blocks) <= 3


def test_a_walk_that_is_left_is_over():
    tapped, blocks = network(n_blocks=50)
    walk = tapped.states(torch.tensor(1.0))
    next(walk)
    del walk
    gc.collect()
    before = sum(block.runs for block in blocks)
    assert [state.item() for _, state in tapped.states(torch.tensor(1.0), last=1)] == [1.0, 2.0]
    assert sum(block.runs for block in blocks) == before + 1


def test_walks_may_be_under_way_at_once():
    tapped, _ = network()
    walks = [tapped.states(torch.tensor(float(start))) for start in (1, 3, 5)]
    rows = list(zip(*walks, strict=True))
    assert [[state.item() for _, state in row] for row in rows] == [[1 * 2**k, 3 * 2**k, 5 * 2**k] for k in range(5)]


def test_changes_in_place_do_not_reach_what_was_handed_on():
    block, after = Doubling(), Doubling()

    def forward(states):
        after(block(states).zero_())

    tapped = TappedNetwork(forward, [Tap(0, block, "input"), Tap(1, block), Tap(2, after)])
    handed = list(tapped.states(torch.tensor(3.0)))
    assert [state.item() for _, state in handed] == [3.0, 6.0, 0.0]


def test_what_the_network_raises_is_raised():
    block = Doubling()

    def forward(states):
        block(states)
        raise ValueError("the third convolution")

    tapped = TappedNetwork(forward, [Tap(1, block), Tap(2, Doubling())])
    walk = tapped.states(torch.tensor(1.0))
    next(walk)
    with pytest.raises(ValueError, match="the third convolution"):
        next(walk)
    assert next(tapped.states(torch.tensor(1.0)))[0] == 1


def test_nothing_is_handed_on_outside_a_walk():
    block = Doubling()
    TappedNetwork(block, [Tap(0, block)])
    assert block(torch.tensor(2.0)).item() == 4.0


def test_no_gradients_are_kept():
    linear = torch.nn.Linear(2, 2)
    tapped = TappedNetwork(linear, [Tap(0, linear)])
    assert not next(tapped.states(torch.ones(2)))[1].requires_grad


def test_the_network_uses_as_many_threads_as_its_caller():
    block, seen = Doubling(), []

    def forward(states):
        seen.append(torch.get_num_threads())
        block(states)

    tapped = TappedNetwork(forward, [Tap(0, block)])
    before = torch.get_num_threads()
    try:
        for n_threads in (1, 2, 1):
            torch.set_num_threads(n_threads)
            list(tapped.states(torch.tensor(1.0)))
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2, 1]


def test_walks_one_after_the_other_share_a_thread():
    tapped, _ = network()
    list(tapped.states(torch.tensor(1.0)))
    before = threading.active_count()
    for _ in range(100):
        list(tapped.states(torch.tensor(1.0)))
    assert threading.active_count() == before


SCRIPT = """
    import torch
    from otoscope.representations.taps import Tap, TappedNetwork
    blocks = [torch.nn.Identity() for _ in range(9)]
    def forward(states):
        for block in blocks:
            states = block(states)
    tapped = TappedNetwork(forward, [Tap(i, block) for i, block in enumerate(blocks)])
"""


def run_script(text):
    code = textwrap.dedent(SCRIPT) + textwrap.dedent(text)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_a_program_may_end_in_the_middle_of_a_walk():
    done = run_script("walk = tapped.states(torch.zeros(1)); next(walk)")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_threads_of_its_own():
    done = run_script("""
        import os
        list(tapped.states(torch.zeros(1)))
        if (child := os.fork()) == 0:
            os._exit(7 if len(list(tapped.states(torch.zeros(1)))) == 9 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    """)
    assert (done.returncode, done.stderr) == (0, "")
