"""The report of a fine-tuning run: what is finished, in numbers and pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caduceus.conformance.finetune.small_runs import marks_drawn, run_folder, write_model, write_recipe
from caduceus.evaluate.calibration import calibration
from caduceus.evaluate.metrics import Predictions
from caduceus.recipes import tuning_board, tuning_figures, tuning_job, tuning_report
from caduceus.recipes.__main__ import main
from caduceus.recipes.tuning_job import Outcome

pytestmark = pytest.mark.usefixtures("place")
ANSWERS = {"model": 29, "untrained": 24, "cnn": 20, "kmers": 26}
"""Of the 31 test rows so many are answered right."""
RICH = {"tf_2": {"classes": ["poor", "rich"]}}


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each arm answers so many rows right, without any training."""

    def trained(job: Any, data: Any, base: Any, signals: Any) -> Outcome:
        truth = data.test.labels
        right = np.arange(len(truth)) < ANSWERS[job.arm] - job.seed
        said = np.where(right, truth, 1 - truth)
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "curve.csv").write_text(
            "epoch,step,lr,train/loss,valid/loss,valid/score,seconds\n1,6,0.01,0.7,0.6,0.5,1\n2,12,0.01,0.6,,0.4,2\n"
        )
        return Outcome(np.stack([1 - said, said], 1) * 0.8 + 0.1, 0.5, 1, 2.0)

    monkeypatch.setattr(tuning_job, "_trained", trained)


@pytest.mark.usefixtures("answered")
def test_a_finished_run_shows_scores_gains_learning_decisions_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_report, "find_spec", lambda name: object())
    pages = []
    write = tuning_board.Board.write

    def noting(board: tuning_board.Board) -> None:
        write(board)
        pages.append((board.folder.path / "report.html").read_text())

    monkeypatch.setattr(tuning_board.Board, "write", noting)
    write_model()
    write_recipe(model="trained", seeds=[1], baselines=["untrained", "kmers"])
    assert main(["run", "tune.yaml"]) == 0
    assert len(pages) == 4, "before the first job, and after each"
    assert "No training is done yet" in pages[0]
    assert "1 of 3 trainings are done" in pages[1]
    assert all('http-equiv="refresh"' in page for page in pages[:3])
    page = pages[-1]
    assert "trainings are done" not in page
    assert "http-equiv" not in page
    assert page.count("<svg") == 4, "gains, scores, learning, decisions"
    assert "<b>1 of 1</b>tasks gain from pretraining" in page
    # 28 of 31 rows right, and 90 % sure of each answer.
    assert "Expected calibration error 0.003 to 0.003" in page
    cells = re.findall(r"<td>([^<]*)</td>", page)
    at = cells.index("test split")
    assert cells[at : at + 4] == ["test split", "1", "0", "31"]
    assert f"<b>{_mcc(28):.3f}</b>" in page
    assert f"<b>+{_mcc(28) - _mcc(23):.3f}</b>" in page


def _mcc(right: int) -> float:
    from sklearn.metrics import matthews_corrcoef

    truth = _truth()
    return float(matthews_corrcoef(truth, np.where(np.arange(31) < right, truth, 1 - truth)))


def _truth() -> np.ndarray:
    labels = [line.split(",")[1] == "rich" for line in Path("test.csv").read_text().splitlines()[1:]]
    return np.array(labels, dtype=int)


@pytest.mark.usefixtures("answered")
def test_published_scores_that_cannot_be_compared_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = marks_drawn(monkeypatch)
    for split, source in (("train", "train.csv"), ("dev", "test.csv"), ("test", "test.csv")):
        Path("gue/tf_2").mkdir(parents=True, exist_ok=True)
        Path(f"gue/tf_2/{split}.csv").write_text(Path(source).read_text().replace("y\n", "label\n"))
    write_recipe(suite="gue", folder="gue", only=["tf_2"], tasks=RICH, baselines=["kmers"], seeds=[1])
    assert main(["run", "tune.yaml"]) == 0
    assert {(mark.name, mark.kind) for mark in drawn} >= {("DNABERT-2 117M", "apart"), ("this model", "own")}
    page = (run_folder() / "report.html").read_text()
    assert '<span class="tag">not comparable</span>' in page
    assert "other rows: 60 to train and 31 to test on" in page


def test_a_page_that_cannot_be_made_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answered: None
) -> None:
    def broken(*_: Any) -> str:
        raise ValueError("no ink")

    monkeypatch.setattr(tuning_board, "report", broken)
    write_recipe(baselines=[])
    assert main(["run", "tune.yaml"]) == 0
    assert "the report could not be made (ValueError: no ink); the table is there" in capsys.readouterr().out
    assert (run_folder() / "table.csv").is_file()


def test_pictures_of_every_problem_are_drawn() -> None:
    """Numbers of two targets; probabilities of several labels; a class of three that is never said."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 2))
    picture = tuning_figures.numbers(truth, truth + 1, ["expression", "a <b> & c"])
    assert picture.count("<use") < 2 * 1600, "some of the rows stand for all"
    assert "a &lt;b&gt; &amp; c, true" in picture
    labels = Predictions(np.array([[0, 1], [1, 1]]), np.array([[0.2, 0.7], [0.9, 0.4]]), "multi_label_classification")
    assert "<svg" in tuning_figures.decisions(None, ["a", "b"], [calibration(labels)])
    matrix = [[5, 0, 0], [1, 0, 3], [0, 0, 0]]
    single = Predictions(np.array([0, 1]), np.eye(3)[:2], "single_label_classification")
    assert "100 %" in tuning_figures.decisions(matrix, ["a", "b", "c"], [calibration(single)])


def test_a_score_of_which_less_is_better_is_drawn_as_it_is() -> None:
    rows = [{"epoch": i, "train/loss": 1.0, "valid/loss": None, "valid/score": -2.0 / i} for i in (1, 2)]
    picture = tuning_figures.learning({"model": [rows]}, {"model": "this model"}, "mae", -1)
    assert "validation mae" in picture
    assert "−" not in picture, "no axis is negative"
