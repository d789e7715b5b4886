"""Worker processes end with what they work for, and a death among them is said in one line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otoscope.engine.local import worker_pool
from otoscope.errors import OtoscopeError


def test_where_work_is_broken_off_what_has_not_begun_is_not_done():
    futures = []

    def interrupted():
        with worker_pool(1) as pool:
            futures.extend(pool.submit(time.sleep, 0.2) for _ in range(20))
            futures[0].result()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sum(future.cancelled() for future in futures) >= 5  # the machine may be busy


def test_a_process_that_dies_is_said_in_one_line():
    def killed():
        with worker_pool(1) as pool:
            pool.submit(os._exit, 1).result()

    with pytest.raises(OtoscopeError, match="a worker process died") as found:
        killed()
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_gives_the_work_however_it_goes(tmp_path, how):
    code = (
        "import sys, time, os, pathlib\n"
        "from otoscope.engine.local import worker_pool\n"
        "if __name__ == '__main__':\n"
        "    with worker_pool(1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        pool.submit(time.sleep, 60).result()\n"
    )
    script = tmp_path / "gives.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as giver:
        worker = int(giver.stdout.readline())
        giver.send_signal(how)
        giver.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{worker}").exists():
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
