"""Tests of requests to stop by signals, which Python delivers to the main thread only."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from tuning.execution.stop import StopRequest


def handlers():
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_a_first_interrupt_requests_and_a_second_interrupts():
    before, stop = handlers(), StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == "by SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert handlers() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_preemption_and_a_lost_terminal_request_a_stop(number):
    given = signal.signal(number, signal.SIG_DFL)  # the tests may run under nohup
    try:
        before, stop = handlers(), StopRequest()
        with stop.listening():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
        assert stop.reason == f"by {number.name}" and handlers() == before
    finally:
        signal.signal(number, given)


def test_under_nohup_a_lost_terminal_stops_nothing():
    given = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest().listening() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.is_set
    finally:
        signal.signal(signal.SIGHUP, given)


@pytest.mark.parametrize("is_told", [False, True])
def test_a_process_that_hangs_after_a_required_stop_ends_in_one_line(is_told):
    code = (
        "import ctypes\n"
        "from tuning.execution import stop\n"
        "stop._LAST_SECONDS = 0.1\n"
        "request = stop.StopRequest(at_last=stop.end_at_once)\n"
        "request.request('by SIGTERM')\n"
        f"request.is_told = {is_told}\n"
        "request.require('because Ray ended')\n"
        "ctypes.CDLL(None).pause()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    line = "\nStopped (by SIGTERM). Finished jobs are kept; the same command continues.\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "" if is_told else line)


def test_a_stop_that_nobody_limits_ends_no_process():
    stop = StopRequest()
    stop.require("because Ray ended")
    assert stop.reason == "because Ray ended"
    assert not [at for at in threading.enumerate() if isinstance(at, threading.Timer)]


def test_another_thread_changes_no_handler():
    before, found = handlers(), []

    def listen():
        with StopRequest().listening() as stop:
            found.append((handlers(), stop.is_set))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [(before, False)]
