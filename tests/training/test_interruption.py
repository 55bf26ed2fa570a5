import signal

import pytest

from triplet_train.training.interruption import interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_to_stop_and_the_second_acts_as_before(number):
    received = []
    before = signal.signal(number, lambda *_: received.append(number))
    try:
        with interruption() as asked:
            assert asked() is None
            signal.raise_signal(number)
            assert (asked(), received) == (number, [])
            signal.raise_signal(number)
            assert (asked(), received) == (number, [number])
        signal.raise_signal(number)
        assert received == [number, number]
    finally:
        signal.signal(number, before)
