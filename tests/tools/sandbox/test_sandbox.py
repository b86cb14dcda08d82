import os
import time

import pytest

from herd.foundation import UserError
from herd.tools import Sandbox, SandboxLimits

CODE = "def add(a, b):\n    return a + b\n"
TESTS = "assert add(1, 2) == 3\n"


def test_a_program_that_ends_has_passed_and_says_what_it_printed(sandbox: Sandbox) -> None:
    outcome = sandbox.run("import sys; print('out'); print('err', file=sys.stderr)")
    assert outcome.passed
    assert (outcome.stdout, outcome.stderr, outcome.reason) == ("out\n", "err\n", "")
    assert 0 <= outcome.duration_s < 60


@pytest.mark.parametrize(
    ("source", "exit_code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("exit(3)", 3),
        ("import os; os._exit(3)", 3),
        ("raise SystemExit('bad')", 1),
        ("1 / 0", 1),
        ("def f(:", 1),
        ("raise KeyboardInterrupt", 1),
        ("raise BaseException", 1),
        ("'\ud800'", 1),
        ("\0", 1),
        ("(" * 10_000, 1),
        ("x = 1\n" * 100_000, 0),
        ("", 0),
    ],
)
def test_the_exit_code_is_the_programs(sandbox: Sandbox, source: str, exit_code: int) -> None:
    outcome = sandbox.run(source)
    assert (outcome.status, outcome.exit_code) == ("finished", exit_code), outcome


def test_a_traceback_shows_the_programs_lines_and_not_the_sandbox(sandbox: Sandbox) -> None:
    stderr = sandbox.run("def f():\n    return missing\nf()\n").stderr
    assert 'File "<program>", line 2, in f' in stderr and "return missing" in stderr
    assert stderr.endswith("NameError: name 'missing' is not defined\n")
    assert "child.py" not in stderr


def test_a_program_is_the_main_module_and_can_look_itself_up(sandbox: Sandbox) -> None:
    source = """
from __future__ import annotations
import dataclasses, pickle, sys, typing
@dataclasses.dataclass
class Point:
    x: int
    y: typing.ClassVar[int] = 2
print(__name__, pickle.loads(pickle.dumps(Point(1))), typing.get_type_hints(Point)["x"], sys.argv)
"""
    assert sandbox.run(source).stdout == "__main__ Point(x=1) <class 'int'> ['']\n"


def test_sets_are_in_the_same_order_every_time(sandbox: Sandbox) -> None:
    source = "print({'alpha', 'beta', 'gamma', 'delta', 'epsilon'})"
    assert len({sandbox.run(source).stdout for _ in range(4)}) == 1


def test_code_whose_tests_come_to_their_end_has_passed(sandbox: Sandbox) -> None:
    outcome = sandbox.check(CODE, TESTS)
    assert outcome.passed and outcome.stdout == ""


def test_code_and_tests_share_one_namespace_that_is_not_main(sandbox: Sandbox) -> None:
    code = "import math\nx = 1\nif __name__ == '__main__':\n    x = 2\n"
    assert sandbox.check(code, "assert x == 1 and math.pi > 3").passed


def test_code_whose_tests_fail_has_not(sandbox: Sandbox) -> None:
    outcome = sandbox.check(CODE, "assert add(1, 2) == 4, 'three is not four'")
    assert (outcome.status, outcome.exit_code) == ("finished", 1)
    assert "three is not four" in outcome.stderr and "<tests>" in outcome.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(0)",
        "import sys; sys.exit()",
        "exit()",
        "import os; os._exit(0)",
        "raise SystemExit",
        "import ctypes; ctypes.CDLL(None).exit(0)",
        "import ctypes; ctypes.CDLL(None).syscall(231, 0)",
        "import os, sys; print('ready'); sys.stdout.flush(); os._exit(0)",
        "import os\nfor each in range(20):\n try: os.write(each, b'ready\\n')\n except OSError: pass\nos._exit(0)",
        "import os\nfor each in range(3, 20):\n try: os.close(each)\n except OSError: pass",
        "import atexit, os; atexit.register(os._exit, 0); raise SystemExit(1)",
        "import builtins, os\nbuiltins.compile = lambda *a, **k: os._exit(0)",
        "import sys; sys.exit = lambda *a: None",
        "import sys\nfrom unittest import mock\nsys.exit = mock.Mock()",
        "import builtins\nbuiltins.exec = lambda *a, **k: None",
        "import builtins\nbuiltins.compile = lambda *a, **k: ''",
        "import builtins\nbuiltins.vars = lambda *a: {}",
        "import sys\nsys.modules['__main__'].exec = lambda *a: None\nsys.modules['__main__'].show = lambda *a: None",
        "import os\nos._exit = lambda *a: None",
        "import os, threading; threading.Thread(target=os._exit, args=(0,)).start()\nwhile True: pass",
    ],
)
def test_an_early_end_with_exit_code_0_is_a_failure(sandbox: Sandbox, code: str) -> None:
    outcome = sandbox.check(code, "assert False")
    assert not outcome.passed, outcome
    assert outcome.exit_code != 0


def test_an_early_end_says_so(sandbox: Sandbox) -> None:
    outcome = sandbox.check("import os; os._exit(0)", TESTS)
    assert (outcome.status, outcome.exit_code) == ("finished", None)
    assert outcome.reason == "the program ended before its tests did"


@pytest.mark.parametrize("code", ["x = '''", "def add(a, b):", "x = (", "x = \\", "if 0:\n  '''"])
def test_code_that_would_swallow_its_tests_is_a_failure(sandbox: Sandbox, code: str) -> None:
    assert not sandbox.check(code, "'''\n)\nassert False").passed


def test_tests_count_though_the_code_closed_or_replaced_its_output(sandbox: Sandbox) -> None:
    for code in ("import os; os.close(1); os.close(2)\n", "import sys; sys.stdout = None\n"):
        assert sandbox.check(code + CODE, TESTS).passed
        assert not sandbox.check(code + CODE, "assert add(1, 1) == 3").passed


def test_nothing_runs_after_the_tests(sandbox: Sandbox) -> None:
    code = "import atexit, threading, time\natexit.register(time.sleep, 1e6)\nthreading.Thread(target=time.sleep, args=(1e6,)).start()\n"
    began = time.monotonic()
    assert sandbox.check(code + CODE, TESTS).passed
    assert time.monotonic() - began < 30


def test_what_was_printed_comes_with_a_check_too(sandbox: Sandbox) -> None:
    assert sandbox.check("print('code')", "print('tests')").stdout == "code\ntests\n"


def test_many_programs_come_back_in_order_and_are_counted(sandbox: Sandbox) -> None:
    class Count:
        done = 0.0

        def advance(self, amount: float = 1, **fields: object) -> None:
            self.done += amount

    count = Count()
    sources = [f"import time; time.sleep({0.1 - n / 100}); print({n})" for n in range(10)]
    outcomes = sandbox.run_many(sources, n_workers=4, progress=count)
    assert [outcome.stdout for outcome in outcomes] == [f"{n}\n" for n in range(10)]
    assert count.done == 10


def test_many_checks_come_back_in_order(sandbox: Sandbox) -> None:
    pairs = [(CODE, f"assert add(1, 2) == {n}") for n in range(5)]
    outcomes = sandbox.check_many(pairs, n_workers=2)
    assert [outcome.passed for outcome in outcomes] == [False, False, False, True, False]


def test_programs_side_by_side_do_not_see_each_other(sandbox: Sandbox) -> None:
    source = """
import os, time
open("mine", "w").write("secret")
time.sleep(0.3)
here, parent = os.getcwd(), os.path.dirname(os.getcwd())
try:
    print(os.listdir(parent))
except OSError:
    print(os.listdir("."))
"""
    outcomes = sandbox.run_many([source] * 4, n_workers=4)
    assert {outcome.stdout for outcome in outcomes} == {"['mine']\n"}


def test_one_bad_program_does_not_disturb_the_others(sandbox: Sandbox) -> None:
    bad = ["while True: pass", "import os; os.kill(os.getpid(), 9)", "bytes(2**40)", "1/0"]
    limits = SandboxLimits(timeout_s=1)
    outcomes = sandbox.run_many([*bad, "print('good')"], n_workers=3, limits=limits)
    assert [each.status for each in outcomes] == [
        "timeout",
        "killed",
        "memory",
        "finished",
        "finished",
    ]
    assert outcomes[-1].passed


def test_no_programs_give_no_outcomes_and_no_workers_are_an_error(sandbox: Sandbox) -> None:
    assert sandbox.run_many([], n_workers=2) == []
    with pytest.raises(UserError, match="workers"):
        sandbox.run_many(["pass"], n_workers=0)


def test_an_error_while_many_run_stops_the_rest(sandbox: Sandbox) -> None:
    class Full:
        def advance(self, amount: float = 1, **fields: object) -> None:
            raise OSError("the terminal is gone")

    began = time.monotonic()
    with pytest.raises(OSError, match="terminal"):
        sandbox.run_many(
            ["pass", *["import time; time.sleep(1e6)"] * 3], n_workers=2, progress=Full()
        )
    assert time.monotonic() - began < 30


def test_the_sandboxs_own_limits_hold_where_a_run_brings_none(has_landlock: None) -> None:
    outcome = Sandbox.open(SandboxLimits(timeout_s=0.2)).run("while True: pass")
    assert outcome.status == "timeout"


def test_no_descriptor_is_left_open(sandbox: Sandbox) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for source in ("pass", "1/0", "print('x' * 2**21)"):
        sandbox.run(source)
    assert len(os.listdir("/proc/self/fd")) == before
