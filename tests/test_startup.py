"""What is asked of the system before anything is played."""

import ctypes
import os
import subprocess
import sys
import threading

import pytest

from kinesphere.startup import step_aside

SCRIPT = """
import os, subprocess, sys, threading
from kinesphere.startup import as_any_other, go_first

def place(): return os.getpriority(os.PRIO_PROCESS, 0)
def child(): return int(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"]))

went = go_first()
seen = []
thread = threading.Thread(target=lambda: seen.append(place()))
thread.start(); thread.join()
with as_any_other():
    other = child()
print(int(went), place(), seen[0], other)
"""


@pytest.mark.skipif(not hasattr(os, "getpriority") or os.geteuid() != 0, reason="needs Linux, and to be root")
def test_the_instrument_goes_before_others_and_the_browser_does_not():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    went, now, thread, browser = [int(word) for word in done.stdout.split()]
    assert went and now == thread == -5
    assert browser == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
def test_a_thread_steps_aside_and_the_others_stay():
    before, seen = os.getpriority(os.PRIO_PROCESS, 0), []

    def aside():
        step_aside()
        seen.append(os.getpriority(os.PRIO_PROCESS, 0))

    thread = threading.Thread(target=aside)
    thread.start()
    thread.join()
    assert seen == [min(before + 10, 19)] and os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="needs Linux or macOS")
def test_where_the_system_does_not_let_it_nothing_changes(monkeypatch):
    from kinesphere import startup

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(startup.os, "setpriority", refused)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert not startup.go_first()
    with startup.as_any_other():
        pass
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


MEMORY = """
import resource, sys, threading
import numpy as np
from kinesphere.startup import keep_memory, return_memory

def memory(): return int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()

kept = keep_memory()
def draw():
    def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3): np.ones(2**24)  # 128 MB, as a picture's activations
    before = faults()
    for _ in range(3): np.ones(2**24)
    seen.append(faults() - before)
seen = []
thread = threading.Thread(target=draw); thread.start(); thread.join()
before = memory()
return_memory()
print(int(kept), seen[0], before - memory() > 100e6)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="needs glibc"
)
@pytest.mark.parametrize("switch", ["", "system"])
def test_memory_that_was_freed_serves_again_also_on_another_thread(switch):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC")}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        env=environment | {"KINESPHERE_ALLOCATOR": switch},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept, faults, returned = done.stdout.split()
    kept, faults = int(kept), int(faults)
    assert kept == (switch != "system")
    assert (faults < 100) == (switch != "system"), faults  # pages that the system had to bring
    assert returned == str(switch != "system")  # the system's own allocator keeps nothing so large


COLLECTOR = """
import gc, weakref
from kinesphere import cli, startup

class Knot: pass

startup.calm_collector()
seen = gc.get_objects()
knot = Knot(); knot.itself = knot
left = weakref.ref(knot)
del knot
gc.collect()
print(gc.get_freeze_count() > 100_000, len(seen) < 1000, left() is None)
"""


def test_the_collector_passes_over_what_was_imported_and_takes_what_came_since():
    done = subprocess.run([sys.executable, "-c", COLLECTOR], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True"] * 3, done.stdout + done.stderr
