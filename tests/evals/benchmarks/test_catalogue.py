"""Every benchmark of the catalogue builds from its real files, and names lead where they should."""

from pathlib import Path

import pytest

from herd.evals.benchmarks.benchmark import Benchmark, build_task
from herd.evals.benchmarks.catalogue import BENCHMARKS, SUITES, choose, is_known
from herd.evals.benchmarks.data_folder import DataFolder
from herd.evals.harness_run import quiet_harness
from herd.foundation import UserError

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
ONE_OF_MANY = [
    one for one in BENCHMARKS if not one.name.startswith("mmlu_") or one.name == "mmlu_virology"
]


@pytest.mark.parametrize("benchmark", ONE_OF_MANY, ids=lambda one: one.name)
def test_a_benchmark_builds_from_its_published_files(benchmark: Benchmark) -> None:
    if benchmark.needs_data and not SHARED.is_dir():
        pytest.skip("needs the shared data")
    folder = DataFolder(SHARED if benchmark.needs_data else None)
    with quiet_harness():
        task = build_task(benchmark, folder)
        task.set_fewshot_seed(1234)
        task.build_all_requests(limit=2)
    first = task.instances[0]
    assert str(first.args[0]).strip()
    assert not folder.malformed, folder.malformed[:3]
    assert str(task.VERSION).endswith(str(benchmark.version))


def first_prompt(name: str) -> str:
    if not SHARED.is_dir():
        pytest.skip("needs the shared data")
    (chosen,) = choose([name])
    with quiet_harness():
        task = build_task(chosen.benchmark, DataFolder(SHARED))
        task.set_fewshot_seed(0)
        task.build_all_requests(limit=1)
    return task.instances[0].args[0]


PROMPTS = {
    "arc_easy": "Question: Which statement best explains why photosynthesis is the foundation of most food webs?\nAnswer:",
    "hellaswag": "Roof shingle removal: A man is sitting on a roof. He",
    "winogrande": "Sarah was a much better surgeon than Maria so Sarah",
    "piqa": "Question: How do I ready a guinea pig cage for it's new occupants?\nAnswer:",
}


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_are_the_harnesss_own(name: str) -> None:
    assert first_prompt(name) == PROMPTS[name]


EXAMPLES = {
    "gsm8k_cot": ("Q: There are 15 trees in the grove.", "There are 15 trees originally."),
    "math": ("Problem:\nFind the domain of the expression", "I hope it is correct."),
    "mbpp": ("You are an expert Python programmer", "def similar_elements"),
    "mmlu_virology": (
        "The following are multiple choice questions (with answers) about virology",
        "Answer:",
    ),
    "gsm8k": ("Question: ", "\n#### "),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_those_of_the_harness_or_of_the_training_split(name: str) -> None:
    first, inside = EXAMPLES[name]
    prompt = first_prompt(name)
    assert prompt.startswith(first) and inside in prompt


def test_suites_hold_known_tasks_and_the_papers_shots() -> None:
    for suite in SUITES:
        assert len(choose([suite])) >= len(SUITES[suite])
    shots = {one.benchmark.name: one.benchmark.shots for one in choose(["pretrain"])}
    assert shots["mmlu_anatomy"] == 5 and shots["winogrande"] == 5 and shots["gsm8k_cot"] == 8
    assert shots["humaneval"] == 0 and shots["mbpp"] == 3 and shots["triviaqa"] == 5
    assert shots["commonsense_qa"] == 7 and shots["math"] == 4


def test_names_of_benchmarks_groups_and_suites_are_chosen_once() -> None:
    assert len(choose(["mmlu", "mmlu_anatomy"])) == 57
    assert [one.limit for one in choose(["smoke"], limit=3)] == [3] * len(choose(["smoke"]))
    assert all(one.optional for one in choose(["smoke"])) and not choose(["piqa"])[0].optional
    by_name = {one.benchmark.name: one for one in choose(["smoke", "piqa"])}
    assert not by_name["piqa"].optional and by_name["piqa"].limit is None
    assert is_known("smoke") and is_known("xquad") and not is_known("sciq")


@pytest.mark.parametrize(
    ("names", "settings", "words"),
    [
        (["arc_eazy"], {}, "did you mean arc_easy"),
        (["piqa"], {"shots": 65}, "--shots is 65"),
        (["piqa"], {"limit": 0}, "--limit is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(names: list[str], settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        choose(names, **settings)


def test_names_are_unique_and_metrics_are_given() -> None:
    names = [one.name for one in BENCHMARKS]
    assert len(set(names)) == len(names)
    assert all(one.metric and one.about for one in BENCHMARKS)
