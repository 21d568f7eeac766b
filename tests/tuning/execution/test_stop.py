"""Tests of requests to stop by signals, which Python delivers to the main thread only."""

import os
import signal
import threading

import pytest

from tuning.execution.stop import StopRequest


def handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)


def test_a_first_interrupt_requests_and_a_second_interrupts():
    before, stop = handlers(), StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == "by SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert handlers() == before


def test_another_thread_changes_no_handler():
    before, found = handlers(), []

    def listen():
        with StopRequest().listening() as stop:
            found.append((handlers(), stop.is_set))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [(before, False)]
