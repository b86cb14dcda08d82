"""Programs out of answers: whole where the prompt is continued, and where it is begun anew."""

import pytest

from herd.evals.benchmarks.code import program_of

DOC = {
    "task_id": "HumanEval/0",
    "prompt": 'from typing import List\n\ndef add(a, b):\n    """Add."""\n',
    "entry_point": "add",
    "test": "def check(f):\n    assert f(1, 2) == 3\n",
}
MBPP = {"test_setup_code": "", "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]}
ANSWERS = {
    "continued": "    return a + b\n",
    "fenced": "Here you are:\n```python\ndef add(a: List, b):\n    return a + b\n```\nIt adds.",
    "fenced body": "```python\n    return a + b\n```",
    "unclosed": "```\ndef add(a, b):\n    return a + b\n",
}


def runs(code: str, tests: str) -> bool:
    try:
        exec(code + "\n" + tests, {})
    except Exception:
        return False
    return True


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_right_answer_passes_in_whatever_form_it_comes(answer: str) -> None:
    assert runs(*program_of("humaneval", DOC, answer))


def test_a_wrong_answer_fails() -> None:
    assert not runs(*program_of("humaneval", DOC, "    return a - b\n"))
    assert not runs(*program_of("humaneval", DOC, ""))


def test_mbpp_takes_what_stands_before_the_mark_or_inside_a_fence() -> None:
    code = "def add(a, b):\n    return a + b\n"
    assert runs(*program_of("mbpp", MBPP, f"{code}[DONE]\nrubbish here"))
    assert runs(*program_of("mbpp", MBPP, f"Sure:\n```python\n{code}```"))
    assert not runs(*program_of("mbpp", MBPP, "I cannot."))
