"""Reading ahead gives the batches of reading in turn, at most one of them early."""

import threading

import pytest

from triplet_train.data.reading_ahead import read_ahead
from triplet_train.errors import RunError


class Batches:
    """Three numbers, one of which may be a failure; a record of when each is asked for."""

    def __init__(self, failing=None):
        self.failing = failing
        self.asked = [threading.Event() for _ in range(3)]

    def __iter__(self):
        for number, asked in enumerate(self.asked):
            asked.set()
            if number == self.failing:
                raise RunError("cannot be read")
            yield number

    def count(self):
        return sum(asked.is_set() for asked in self.asked)


def test_batches_come_once_and_in_order_however_many():
    for count in range(5):
        assert list(read_ahead(range(count))) == list(range(count))


def test_one_batch_is_read_while_another_is_used_and_no_more():
    batches = Batches()
    assert batches.count() == 0
    ahead = read_ahead(batches)
    for number in range(2):
        assert next(ahead) == number
        assert batches.asked[number + 1].wait(10)
        assert batches.count() == number + 2
    assert list(ahead) == [2]


def test_a_failure_comes_after_the_batches_before_it():
    ahead = read_ahead(Batches(failing=1))
    assert next(ahead) == 0
    with pytest.raises(RunError, match="cannot be read"):
        next(ahead)
    assert list(ahead) == []


@pytest.mark.parametrize("failing", [None, 1])
def test_reading_ends_where_the_consumer_stops_or_fails(failing):
    before = threading.active_count()
    batches = Batches(failing)
    ahead = read_ahead(batches)
    assert next(ahead) == 0
    ahead.close()
    assert batches.count() == 2 and threading.active_count() == before
    with pytest.raises(ZeroDivisionError):
        for number in read_ahead(Batches(failing)):
            number / 0
    assert threading.active_count() == before
