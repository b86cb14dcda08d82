"""From sources to a corpus: whole, continued, refused."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from herd.data import (
    ExactDedup,
    HeldOutStage,
    LanguageStage,
    MinHashDedup,
    MixStage,
    SourceConfig,
    UrlDedup,
)
from herd.data.cleaning.editions_stage import EditionsStage
from herd.data.cleaning.licence_stage import LicenceStage
from herd.data.curation import (
    CurationDirectory,
    CurationRecipe,
    LimitsConfig,
    OneProcess,
    PackingConfig,
    ProcessWorkers,
    curate,
    read_manifest,
)
from herd.data.curation.decision_log import read_decisions
from herd.data.curation.part_file import read_part
from herd.foundation import UserError

N_DOCUMENTS = 60


def recipe_of(source, *stages, packing=None, part_bytes=20_000, sources=()):
    return CurationRecipe(
        name="test",
        # Each a source of its own, so that there are several reading tasks.
        sources=tuple(
            SourceConfig(location=str(file)) for file in sources or sorted(source.iterdir())
        ),
        stages=stages or (LicenceStage(), EditionsStage()),
        limits=LimitsConfig(part_bytes=part_bytes),
        packing=packing,
    )


def kept(out):
    manifest = read_manifest(CurationDirectory(out))
    folder = out / manifest["documents_path"]
    parts = [folder / f"part-{one['part']}.parquet" for one in manifest["parts"]]
    return [document for part in parts for batch in read_part(part) for document in batch]


def test_documents_pass_every_stage_and_each_fate_is_known(tmp_path, source, drop_word):
    out = tmp_path / "out"
    manifest = curate(recipe_of(source, LicenceStage(), drop_word(word="2.7 ")), out)
    documents = kept(out)
    assert len(documents) == N_DOCUMENTS - 1
    assert not any("GUTENBERG" in document.text for document in documents)
    licence, word = manifest["funnel"]
    assert (licence["stage"], licence["changed"]) == ("licence", {"licence stripped": 6})
    assert (word["documents_in"], word["documents_out"]) == (N_DOCUMENTS, N_DOCUMENTS - 1)
    assert word["dropped"] == {"word": 1}
    assert manifest["read"]["counts"]["read"]["documents"] == N_DOCUMENTS


def test_a_stage_that_must_see_all_sees_all(tmp_path, source, drop_shortest):
    everything = tmp_path / "all"
    curate(recipe_of(source, LicenceStage()), everything)
    least = min(len(one.text) for one in kept(everything))
    out = tmp_path / "out"
    manifest = curate(recipe_of(source, LicenceStage(), drop_shortest()), out)
    assert len(manifest["parts"]) > 3
    assert kept(out) == [one for one in kept(everything) if len(one.text) > least]
    assert manifest["rulings"] == {"shortest": {"shortest": least}}


@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, source, digests, n_workers):
    packing = PackingConfig(vocab_size=520)
    alone, together = tmp_path / "alone", tmp_path / "together"
    curate(recipe_of(source, packing=packing), alone, workers=OneProcess())
    curate(recipe_of(source, packing=packing), together, workers=ProcessWorkers(n_workers))
    assert digests(together) == digests(alone)


def test_larger_parts_change_no_document(tmp_path, source):
    few, many = tmp_path / "few", tmp_path / "many"
    curate(recipe_of(source, part_bytes=10_000_000), few)
    curate(recipe_of(source, part_bytes=1024), many)
    assert kept(few) == kept(many)


def test_phases_are_freed_unless_kept(tmp_path, source):
    curate(recipe_of(source), tmp_path / "freed")
    curate(recipe_of(source), tmp_path / "kept", keep_phases=True)
    first = Path("phases/0-read/part-00000-00000.parquet")
    assert not (tmp_path / "freed" / first).exists()
    assert (tmp_path / "kept" / first).exists()
    assert (tmp_path / "freed" / first.with_suffix(".decisions.parquet")).exists()


def test_the_same_command_again_does_nothing(tmp_path, source):
    out = tmp_path / "out"
    first = curate(recipe_of(source), out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert curate(recipe_of(source), out) == first
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == times


def test_another_recipe_does_not_go_on_in_the_directory(tmp_path, source):
    curate(recipe_of(source), tmp_path / "out")
    with pytest.raises(UserError, match="begun with another recipe"):
        curate(recipe_of(source, LicenceStage()), tmp_path / "out")


def test_a_source_that_changed_meanwhile_is_seen(tmp_path, source):
    out, recipe = tmp_path / "out", recipe_of(source)
    with pytest.raises(KeyboardInterrupt):
        curate(recipe, out, workers=StopsAt("1-editions"))
    shutil.rmtree(out / "phases")
    with (source / "0.jsonl").open("a") as file:
        file.write('{"text": "one more"}\n')
    with pytest.raises(UserError, match="changed in a source since this run began"):
        curate(recipe, out)


def test_a_directory_with_other_files_is_refused(tmp_path, source):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"files that are no curated corpus \(thesis.tex\)"):
        curate(recipe_of(source), tmp_path / "out")


def test_a_second_run_on_one_directory_is_kept_out(tmp_path, source):
    out = tmp_path / "out"
    with (
        CurationDirectory(out).locked(),
        pytest.raises(UserError, match="another process is working"),
    ):
        curate(recipe_of(source), out)


def test_stages_that_share_a_pass_decide_as_they_do_one_after_the_other(
    tmp_path, drop_word, many_copies
):
    between = [drop_word(word="\0", loud="\0"), *(replace_name(drop_word, n) for n in "ab")]
    shared = (UrlDedup(), ExactDedup(), MinHashDedup())
    apart = (between[0], shared[0], between[1], shared[1], between[2], shared[2])
    results = []
    for name, stages in (("shared", shared), ("apart", apart)):
        recipe = CurationRecipe(
            name="r",
            sources=(SourceConfig(location=str(many_copies)),),
            stages=stages,
            limits=LimitsConfig(part_bytes=4096),
        )
        curate(recipe, tmp_path / name)
        documents = [(d.name, d.text) for d in kept(tmp_path / name)]
        logs = sorted((tmp_path / name).rglob("*.decisions.parquet"))
        decisions = sorted((stage, str(one)) for log in logs for stage, one in read_decisions(log))
        results.append((documents, decisions))
    assert results[0] == results[1]
    assert {stage for stage, _ in results[0][1]} == {"url", "exact", "minhash"}


def replace_name(drop_word, name):
    """The stage that drops a word, under another name; here it finds none."""
    kind = type(f"Drop{name}", (drop_word,), {"name": name, "__slots__": ()})
    return kind(word="\0", loud="\0")


@pytest.fixture
def many_copies(tmp_path):
    """Documents of which many share a URL, a text, or nearly a text."""
    dice = random.Random(0)
    rows = []
    for number in range(120):
        words = [f"w{number % 40}x{i}" for i in range(60)]
        if number % 3 == 1:
            words[dice.randrange(60)] = "changed"
        rows.append({"text": " ".join(words), "url": f"http://x.net/{dice.randrange(90)}"})
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


class StopsAt:
    """Does tasks in their order and is interrupted before the second of a kind."""

    def __init__(self, place):
        self.place = place

    def run(self, function, tasks):
        for number, task in enumerate(tasks):
            if self.place in str(task) and number == 1:
                raise KeyboardInterrupt
            yield task, function(task)

    def kept(self):
        return contextlib.nullcontext(self)


@pytest.mark.parametrize("place", ["reading", "1-editions", "rule", "packing"])
def test_a_run_stopped_anywhere_ends_with_the_same_bytes(
    tmp_path, source, digests, monkeypatch, place
):
    recipe = recipe_of(source, packing=PackingConfig(vocab_size=520))
    curate(recipe, tmp_path / "undisturbed")
    out = tmp_path / "out"
    if place == "rule":
        monkeypatch.setattr(EditionsStage, "rule", interrupted)
    with pytest.raises(KeyboardInterrupt):
        curate(recipe, out, workers=StopsAt(place))
    monkeypatch.undo()
    assert not (out / "manifest.json").exists()
    curate(recipe, out)
    assert digests(out) == digests(tmp_path / "undisturbed")


def interrupted(*_):
    raise KeyboardInterrupt


KILLED = """
import sys
from pathlib import Path
from herd.data import ExactDedup, LanguageStage, MinHashDedup, SourceConfig, UrlDedup
from herd.data.cleaning.editions_stage import EditionsStage
from herd.data.cleaning.licence_stage import LicenceStage
from herd.data.curation import CurationRecipe, LimitsConfig, OneProcess, ProcessWorkers, curate
recipe = CurationRecipe(
    name="test",
    sources=tuple(SourceConfig(location=str(f)) for f in sorted(Path(sys.argv[1]).iterdir())),
    stages=(LicenceStage(), EditionsStage()),
    limits=LimitsConfig(part_bytes=2_000),
)
if __name__ == "__main__":
    n = int(sys.argv[3])
    curate(recipe, sys.argv[2], workers=ProcessWorkers(n) if n > 1 else OneProcess())
"""


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_killed_run_goes_on_where_it_was(tmp_path, source, digests, n_workers):
    script, out = tmp_path / "killed.py", tmp_path / "out"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(source)]
    subprocess.run([*command, str(tmp_path / "alone"), "1"], check=True, capture_output=True)
    process = subprocess.Popen(
        [*command, str(out), str(n_workers)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline_s = time.monotonic() + 60
    while len(list(out.glob("phases/0-read/task-*.json"))) < 2 and process.poll() is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in out.glob("phases/0-read/task-*.json")}
    subprocess.run([*command, str(out), str(n_workers)], check=True, capture_output=True)
    assert digests(out) == digests(tmp_path / "alone")
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_an_unfinished_corpus_says_how_to_go_on(tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(UserError, match="not finished: give the same command again"):
        read_manifest(CurationDirectory(tmp_path))


def test_a_directory_that_is_none_is_named(tmp_path):
    with pytest.raises(UserError, match="is no curated corpus"):
        read_manifest(CurationDirectory(tmp_path))


DEADLY = """
import os, signal
from dataclasses import dataclass
from typing import ClassVar
from herd.data import Outcome

@dataclass(frozen=True, kw_only=True, slots=True)
class KillsItsWorkerOnce:
    name: ClassVar[str] = "deadly"
    version: ClassVar[int] = 1
    marker: str = ""

    def open(self):
        def transform(documents):
            if not os.path.exists(self.marker):
                open(self.marker, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return Outcome(documents=list(documents))
        return transform
"""


def test_a_worker_killed_amid_a_part_loses_nothing_and_leaves_nothing(tmp_path, source, digests):
    from herd.foundation import load_python_file

    file = tmp_path / "deadly.py"
    file.write_text(DEADLY)
    stage = load_python_file(file).KillsItsWorkerOnce(marker=str(tmp_path / "marker"))
    recipe = recipe_of(source, stage, EditionsStage())
    curate(recipe, tmp_path / "killed", workers=ProcessWorkers(2, str(file)))
    assert (tmp_path / "marker").exists()
    curate(recipe, tmp_path / "alone")
    assert digests(tmp_path / "killed") == digests(tmp_path / "alone")
    assert not list((tmp_path / "killed").rglob("*partial*"))


def test_a_first_try_that_read_nothing_gives_way_to_another_recipe(tmp_path, source):
    with pytest.raises(UserError, match="no such file"):
        curate(recipe_of(source, sources=("nowhere",)), tmp_path / "out")
    curate(recipe_of(source), tmp_path / "out")
    assert kept(tmp_path / "out")


def test_the_recipe_of_something_else_is_not_written_over(tmp_path, source):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recipe.json").write_text('{"name": "a run of training"}')
    with pytest.raises(UserError, match="begun with another recipe"):
        curate(recipe_of(source), tmp_path / "out")
    assert "training" in (tmp_path / "out" / "recipe.json").read_text()


def test_a_corpus_of_which_nothing_stayed_can_be_inspected(tmp_path, source, drop_word):
    recipe = recipe_of(source, drop_word(word="word"), packing=PackingConfig(vocab_size=520))
    for _ in range(2):
        with pytest.raises(UserError, match=r"no usable text in .*: 60 word"):
            curate(recipe, tmp_path / "out")
    assert read_manifest(CurationDirectory(tmp_path / "out"))["funnel"][0]["dropped"] == {
        "word": 60
    }


def test_a_file_whose_name_is_no_unicode_is_read_and_named(tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/\xff.txt", "w") as file:
        file.write("a text")
    recipe = CurationRecipe(name="odd", sources=(SourceConfig(location=str(folder)),), stages=())
    curate(recipe, tmp_path / "out")
    assert [one.name for one in kept(tmp_path / "out")] == ["\\xff.txt"]


def test_a_string_where_several_are_meant_is_not_taken_letter_by_letter():
    with pytest.raises(UserError, match=r"language.keep is 'de'; write \('de',\)"):
        CurationRecipe(
            name="r", sources=(SourceConfig(location="x"),), stages=(LanguageStage(keep="de"),)
        )


def test_settings_of_another_type_are_refused():
    with pytest.raises(UserError, match="language.min_score: expected float, found 'high'"):
        CurationRecipe(
            name="r",
            sources=(SourceConfig(location="x"),),
            stages=(_with(LanguageStage(), min_score="high"),),
        )


def _with(stage, **values):
    """Past the stage's own checks."""
    for name, value in values.items():
        object.__setattr__(stage, name, value)
    return stage


def test_what_is_held_out_is_chosen_before_copies_are_made():
    source = (SourceConfig(location="x"),)
    CurationRecipe(name="r", sources=source, stages=(HeldOutStage(), MixStage()))
    with pytest.raises(UserError, match="held_out stands after mix"):
        CurationRecipe(name="r", sources=source, stages=(MixStage(), HeldOutStage()))


@pytest.mark.parametrize("limit", [0, 10**30])
def test_limits_that_no_machine_has_are_refused(limit):
    for name in ("part_bytes", "memory_bytes"):
        with pytest.raises(UserError, match=f"{name} is {limit}; it must be 1 . ?iB to 1 TiB"):
            LimitsConfig(**{name: limit})


def test_workers_end_with_the_process_that_began_them(tmp_path):
    file = tmp_path / "pids.py"
    file.write_text(
        "import os, time\ndef pid_of(task):\n    time.sleep(0.5)\n    return os.getpid()\n"
    )
    script = (
        "import sys, time\n"
        "from herd.data import ProcessWorkers\n"
        "from herd.foundation import load_python_file\n"
        "work = load_python_file(sys.argv[1]).pid_of\n"
        "with ProcessWorkers(2, sys.argv[1]).kept() as workers:\n"
        "    print(*(pid for _, pid in workers.run(work, ['a', 'b'])), flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE, text=True
    )
    pids = [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.wait()
    process.stdout.close()
    deadline_s = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline_s, pids
        time.sleep(0.05)
