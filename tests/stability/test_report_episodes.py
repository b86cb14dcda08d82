"""Episodes: told apart by hand-made levels, with the watch's own words and the lead it had."""

import json
from pathlib import Path

import pytest

from herd.stability import LOG_NAME
from herd.stability.report_episodes import (
    WHOLE_RUN,
    Episode,
    find_episodes,
    first_worst,
    lead_steps,
    mechanism_of,
)
from herd.stability.run_reading import read_run
from herd.stability.verdict import Level, Mechanism

NAMES = {"O": "OK", "W": "WATCH", "A": "ALARM", "R": "RECOVERY"}


def episodes_of(
    run: Path,
    embedding: str,
    output: str = "",
    *,
    run_level: str = "",
    spikes: tuple[int, ...] = (),
    said: dict[int, list[str]] | None = None,
) -> tuple[list[Episode], int | None]:
    """Read a log with one letter a step for each of two layers, from step 1 on."""
    run.mkdir()
    lines: list[dict] = [{"layers": ["embedding", "output"]}]
    for step, (a, b) in enumerate(zip(embedding, output or "O" * len(embedding), strict=True), 1):
        worst = next(letter for letter in "AWRO" if letter in (a, b))
        worst = run_level[step - 1] if run_level else worst
        record = {"step": step, "level": NAMES[worst], "levels": a + b}
        record["loss_z"] = 7.0 if step in spikes else 0.0
        if said and step in said:
            record |= {"reasons": said[step], "mechanisms": [Mechanism.AWAKENING.value]}
        lines.append(record)
    (run / LOG_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    reading = read_run(run)
    episodes = find_episodes(reading)
    return episodes, lead_steps(reading, episodes)


def test_an_episode_runs_from_the_first_level_to_the_last(tmp_path: Path) -> None:
    (episode,), lead = episodes_of(tmp_path / "run", "OOWWAARROO")
    assert (episode.layer, episode.first, episode.last) == ("embedding", 3, 8)
    assert (episode.worst, episode.worst_at, episode.is_over) == (Level.ALARM, 5, True)
    assert lead is None


def test_one_that_lasts_is_not_over(tmp_path: Path) -> None:
    (episode,), _ = episodes_of(tmp_path / "run", "OOOWW")
    assert not episode.is_over and episode.last == 5


@pytest.mark.parametrize(("calm", "n"), [(1, 1), (19, 1), (20, 2), (60, 2)])
def test_a_short_calm_does_not_end_an_episode(tmp_path: Path, calm: int, n: int) -> None:
    episodes, _ = episodes_of(tmp_path / "run", "W" + "O" * calm + "A" + "OO")
    assert len(episodes) == n


def test_what_no_layer_explains_is_the_runs_own(tmp_path: Path) -> None:
    said = {3: ["loss 9 is 8.0 deviations above its last steps: look at the batch"]}
    (episode,), lead = episodes_of(tmp_path / "run", "OOOO", run_level="OOWO", said=said)
    assert episode.layer == WHOLE_RUN and episode.worst is Level.WATCH
    assert episode.reason.startswith("loss 9") and lead is None


def test_words_go_to_the_layer_of_their_tensor(tmp_path: Path) -> None:
    said = {
        2: ["embedding.weight: first", "output.weight: other"],
        4: ["embedding.weight: at the worst", "loss 9: spike"],
    }
    episodes, _ = episodes_of(tmp_path / "run", "OWWAO", "OWOOO", said=said)
    words = {each.layer: each.reason for each in episodes}
    assert words == {
        "embedding": "embedding.weight: at the worst",
        "output": "output.weight: other",
    }
    assert {each.mechanism for each in episodes} == {Mechanism.AWAKENING.value}


@pytest.mark.parametrize(
    ("spikes", "lead"), [((7,), 3), ((4,), 0), ((2,), -2), ((7, 8), 3), ((), None)]
)
def test_the_lead_counts_from_the_first_alarm_to_the_loss(
    tmp_path: Path, spikes: tuple[int, ...], lead: int | None
) -> None:
    _, found = episodes_of(tmp_path / "run", "OOWAAROOO", spikes=spikes)
    assert found == lead


def test_a_loss_spike_far_away_belongs_to_something_else(tmp_path: Path) -> None:
    _, lead = episodes_of(tmp_path / "run", "OOA" + "O" * 300, spikes=(250,))
    assert lead is None


def test_the_worst_level_is_the_first_of_its_kind(tmp_path: Path) -> None:
    episodes_of(tmp_path / "run", "OWARROWA")
    assert first_worst(read_run(tmp_path / "run")) == (Level.ALARM, 3)


@pytest.mark.parametrize("mechanism", Mechanism)
def test_only_a_mechanism_of_the_step_is_named(mechanism: Mechanism) -> None:
    assert mechanism_of("some words", [mechanism.value]) == mechanism.value
    assert mechanism_of("some words", [mechanism.value, "another"]) == ""
    both = [Mechanism.COLD.value, Mechanism.AWAKENING.value]
    assert mechanism_of("e.w: 40% cold: a cold layer awakens", both) == Mechanism.AWAKENING.value
