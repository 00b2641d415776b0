"""The mailbox in which threads meet: newest wins, nobody queues, nobody is kept waiting."""

import threading

import pytest

from kinesphere.types import KinesphereError, Latest, check_all


def test_the_newest_wins():
    box = Latest()
    assert box.latest() is None and box.count == 0
    for i in range(5):
        box.put(i)
    assert box.latest() == 4 and box.count == 5
    assert box.newer(3, timeout=0) == (4, 5)


def test_a_reader_sees_each_value_once_and_gives_up_in_time():
    box = Latest()
    box.put("a")
    value, seen = box.newer(0, timeout=0)
    assert (value, seen) == ("a", 1)
    assert box.newer(seen, timeout=0.01) == (None, 1)


def test_a_waiting_reader_wakes_when_something_comes():
    box, got = Latest(), []
    reader = threading.Thread(target=lambda: got.append(box.newer(0, timeout=30)))
    reader.start()
    box.put("now")
    reader.join(timeout=30)
    assert got == [("now", 1)]


def test_readers_never_see_an_older_value_after_a_newer_one():
    box, seen, over = Latest(), [], threading.Event()

    def read():
        count = 0
        while not over.is_set():
            value, count = box.newer(count, timeout=0.01)
            if value is not None:
                seen.append(value)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(5000):
        box.put(i)
    over.set()
    reader.join(timeout=30)
    assert seen == sorted(set(seen))


def test_every_refusal_is_told():
    def no(text):
        def check():
            raise KinesphereError(text)

        return check

    check_all(lambda: None)
    with pytest.raises(KinesphereError, match="too big; too red"):
        check_all(no("too big"), lambda: None, no("too red"))
