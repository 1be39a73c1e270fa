"""The command line: what it prints, and its exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from caduceus.conformance.recipes.conftest import Recipes
from caduceus.recipes.__main__ import main
from caduceus.recipes.ablation import parameters
from caduceus.recipes.doctor import EXTRAS
from caduceus.recipes.find import find, named
from caduceus.recipes.load import load
from caduceus.recipes.pretraining import Pretraining


def test_list_names_every_recipe_and_loads_neither_torch_nor_lightning() -> None:
    code = (
        "import sys; from caduceus.recipes.__main__ import main; status = main(['list'])\n"
        "print(status, sorted({'torch', 'lightning', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *listed, last = done.stdout.splitlines()
    assert {line.split()[0] for line in listed} >= {"quickstart", "hg38_pretrain"}
    assert last == "0 []"


def test_list_goes_on_after_a_file_that_is_no_recipe(recipes: Recipes, folder: Path, capsys: Any) -> None:
    (folder / "recipes" / "broken.yaml").write_text("a: [")
    assert recipes("list") == 0
    said = capsys.readouterr().out
    assert ["tiny", "pretrain", "seconds"] in [line.split() for line in said.splitlines()]
    assert "broken.yaml is not YAML" in said


def test_a_recipe_is_found_by_path_by_name_and_with_or_without_yaml(recipes: Recipes, folder: Path) -> None:
    there = Path("recipes/tiny.yaml")
    assert [find(name) for name in ("tiny", "tiny.yaml", "recipes/tiny.yaml", "recipes/tiny")] == [there] * 4
    assert find("quickstart").name == "quickstart.yaml"
    (folder / "recipes" / "quickstart.yaml").write_text("task: pretrain\nabout: my own\n")
    assert find("quickstart") == Path("recipes/quickstart.yaml")


def test_show_keeps_comments_and_resolved_fields_read_back_to_the_same_recipe(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert main(["show", "hg38_pretrain"]) == 0
    text = capsys.readouterr().out
    assert text == find("hg38_pretrain").read_text()
    assert "# " in text
    assert main(["show", "hg38_pretrain", "--set", "size=32k", "--set", "optimiser.lr=4e-3"]) == 0
    resolved = folder / "resolved.yaml"
    resolved.write_text(capsys.readouterr().out)
    recipe = load(resolved)
    assert recipe.to_yaml() == resolved.read_text()
    assert recipe == load(find("hg38_pretrain"), ["size=32k", "optimiser.lr=4e-3"])


@pytest.mark.parametrize("name", sorted(named()))
def test_every_shipped_recipe_is_valid_and_says_what_it_is(name: str) -> None:
    recipe = load(find(name))
    assert recipe.name == name
    assert 20 < len(recipe.about) < 130


def test_chr20_pretrain_is_of_the_size_that_it_tells() -> None:
    recipe = load(find("chr20_pretrain"))
    assert isinstance(recipe, Pretraining)
    assert f"{parameters(recipe.spec) / 1e3:.0f} thousand\n# parameters" in find("chr20_pretrain").read_text()
    assert f"{recipe.max_steps * recipe.batch.tokens / 1e6:.0f} million bases" in find("chr20_pretrain").read_text()
    assert recipe.spec.equivariance == "ps"
    assert recipe.validation.test_share == 1.0


REFUSED = {
    "optimizer.lr=1": "optimizer: no such field; did you mean 'optimiser'?",
    "optimiser.lrr=1": "optimiser.lrr: no such field; did you mean 'lr'?",
    "model.mixers.0.mamba.d_sate=4": "model.mixers.0.mamba.d_sate: no such field; did you mean 'd_state'?",
    "model.norm={kind: rms, epss: 1}": "model.norm.epss: no such field; did you mean 'eps'?",
    "context.two_side=[1]": "context.two_side: no such field; did you mean 'two_sided'?",
    "lr=1": "lr: no such field; did you mean 'optimiser.lr'?",
    "data.tokens=1": "data.tokens: no such field; did you mean 'batch.tokens'?",
    "checkpoints.seed=1": "checkpoints.seed: no such field; did you mean 'seed'?",
    "batch.size_of=1": "batch.size_of: no such field; expected one of per_device, tokens",
    "max_time=90": "max_time: Input should be a valid string, got 90",
    "max_time=10:00": "expected DD:HH:MM:SS or HH:MM:SS, such as 02:00:00 for two hours, got '10:00'",
    "loggers=[tensorbord]": "loggers.0: Input should be 'tensorboard' or 'wandb'",
    "strategy=fsdp": "do not fit this machine",
    "strategy=dpd": "do not fit this machine",
    "precision=bf17": "do not fit this machine",
    "model.mixers.0.kind=bimambda": "model.mixers.0: unknown kind 'bimambda'; did you mean 'bimamba'?",
    "model.mixers.3.kind=mamba": "'3' is no place in a list of 1",
    "model=caduceus-ps-1kd118": "did you mean 'caduceus-ps-1k-d118'?",
    "model.head={kind: sequence_classifier}": "pretraining takes a model with a masked-LM head",
    "max_steps=none": "max_steps: Input should be a valid integer",
    "task=pretran": "task is 'pretran', which is no kind of recipe; did you mean 'pretrain'?",
    "task.x=1": "--set task.x: task is 'pretrain', which has no fields",
    "size=2k": "size is '2k', expected one of 1k-d118",
    "size=1k-d118": "size is '1k-d118', but all that it sets is given",
    "max_steps": "--set 'max_steps' is no path.to.field=value",
    "max_steps=[": "--set max_steps: '[' is not a YAML value",
    "batch.tokens=99": "batch.tokens is 99, expected a multiple of data.length, 25",
    "batch.per_device=3": "batch.per_device is 3, expected a divisor of 4",
    "accelerator=gpu": "do not fit this machine",
    "backend=cuba": "unknown backend 'cuba'",
    "backend=reference": "backend is 'reference', which does not train",
    "devices=0": "devices is 0",
    "data.fasta=absent.fa": "tiny needs files that are not here: absent.fa",
    "data.intervals=genome.fa": "genome.fa:",
    "data.length=50000": "batch.tokens is 100",
    "data.fasta=splits.bed": "splits.bed",
    "data.repeat_weight=0.5": "the genome is not soft-masked",
}

INTERVALS = {
    "chr2\t0\t2000\ttrain": "no contig 'chr2'; did you mean 'chr1'? (1 of 3 intervals)",
    "chr1\t0\t3601\ttrain": "line 1: chr1:0-3601 is not a range inside 'chr1', which has 3600 bases",
    "chr1\t0\t2000\ttest": "has no intervals of split 'train'; it has: valid 1, test 2",
    "chr1\t2100\t2500\ttrain": "no window of 25 bases for train: train: 0 windows of 25 bases from 1 intervals; "
    "1 intervals overlap valid or test and are dropped",
}


@pytest.mark.parametrize("first", INTERVALS)
@pytest.mark.parametrize("command", ["check", "run"])
def test_bad_intervals_are_refused_before_training(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str], first: str, command: str
) -> None:
    rest = "chr1\t2000\t2500\tvalid\nchr1\t2500\t3000\ttest\n"
    (folder / "splits.bed").write_text(f"{first}\n{rest}")
    assert recipes(command, "tiny") == 2
    assert INTERVALS[first] in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["check", "run"])
def test_what_is_odd_in_the_data_is_counted_before_training(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    text = (folder / "genome.fa").read_text().splitlines()
    text[1] = "R" * 7 + "acgt" + "N" * 49  # the first window: 7 other letters, 4 lower case, the rest N
    text[2] = "N" * 60
    (folder / "genome.fa").write_text("\n".join(text) + "\n")
    assert recipes(command, "tiny", "--set", "max_steps=1") == 0
    said = capsys.readouterr().out
    odd = "7 letters are none of A, C, G, T, N and read as [UNK]; 4 letters are lower case: repeats"
    assert odd in said
    assert "windows hold no A, C, G or T and are skipped" in said
    assert "step 1 of 1" not in said[: said.index(odd)]


@pytest.mark.parametrize("option", REFUSED)
def test_bad_input_is_refused_in_a_paragraph(recipes: Recipes, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipes("run", "tiny", "--set", option) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert REFUSED[option] in said
    assert "Traceback" not in said
    assert not Path("runs").exists()


def test_kernels_that_torch_compile_cannot_take_are_not_compiled(recipes: Recipes, capsys: Any) -> None:
    assert recipes("check", "tiny", "--set", "backend=torch", "--set", "compile=true") == 2
    said = capsys.readouterr().err
    assert "compile: torch.compile cannot take the kernels of backend torch whole" in said
    assert "give a backend with compiled kernels, such as cpu" in said


def test_a_logger_that_is_not_installed_is_named_with_its_extra(
    recipes: Recipes, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert recipes("run", "tiny", "--set", "loggers=[wandb]") == 2
    assert "wandb is not installed; it comes with an extra: pip install 'caduceus[wandb]'" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_an_unknown_recipe_suggests_the_closest(recipes: Recipes, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipes("run", "quikstart.yaml") == 2
    assert (
        "no recipe 'quikstart.yaml', neither a file nor a name; did you mean 'quickstart'?" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "holds no recipe"),
        ("seed: 1\nseed: 2", "seed given twice"),
        ("{}", "task is None"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(folder: Path, capsys: Any, text: str, said: str) -> None:
    (folder / "odd.yaml").write_text(text)
    assert main(["run", "odd.yaml"]) == 2
    assert said in capsys.readouterr().err


def test_without_the_genome_it_says_which_files_from_where_and_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "hg38_pretrain.yaml"]) == 2
    said = capsys.readouterr().err
    for expected in (
        "hg38.ml.fa",
        "human-sequences.bed",
        "https://storage.googleapis.com/basenji_barnyard2/hg38.ml.fa.gz",
        "https://storage.googleapis.com/basenji_barnyard2/sequences_human.bed",
        "--set data.fasta=",
        "--set data.intervals=",
        "CADUCEUS_DATA",
    ):
        assert expected in said


def test_files_are_found_in_the_data_folder(
    recipes: Recipes, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "genome.fa").rename(folder / "elsewhere" / "genome.fa")
    assert recipes("check", "tiny") == 2
    monkeypatch.setenv("CADUCEUS_DATA", str(folder / "elsewhere"))
    assert recipes("check", "tiny") == 0
    assert (
        f"{folder / 'elsewhere' / 'genome.fa'}: 3,600 bases; intervals: train 2, valid 1, test 1"
        in capsys.readouterr().out
    )


def test_check_says_what_a_run_takes_and_writes_nothing(
    recipes: Recipes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipes("check", "tiny") == 0
    said = capsys.readouterr().out
    for expected in ("equivariance: error exactly 0.0", "bidirectional: every", "masks: outputs do not", "600 in all"):
        assert expected in said
    assert not (folder / "runs").exists()


def test_check_counts_what_checkpointed_activations_save(recipes: Recipes, capsys: Any) -> None:
    gigabytes = {}
    model = "model.mixers=[" + ", ".join(["{kind: bimamba}"] * 6) + "]"
    options = ("--set", model, "--set", "data.length=200", "--set", "batch={tokens: 80000, per_device: 400}")
    for kept in ("false", "true"):
        assert recipes("check", "tiny", *options, "--set", f"checkpoint_activations={kept}") == 0
        gigabytes[kept] = float(capsys.readouterr().out.partition("memory about ")[2].split()[0])
    assert 0 < 3 * gigabytes["true"] < gigabytes["false"]


def test_doctor_reports_backends_and_extras(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for expected in (
        "torch ",
        "plain torch operations",
        "selective_scan_cuda",
        "plots",
        "CADUCEUS_DATA is not set",
    ):
        assert expected in said


def test_what_the_doctor_finds_stands_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """However long the name before it is."""
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("extras"))
    names, states = zip(*(line[11:].split()[:2] for line in lines[begin : begin + len(EXTRAS)]), strict=True)
    assert names == tuple(EXTRAS)
    assert set(states) <= {"yes", "no"}


def test_help_and_a_missing_command() -> None:
    for arguments, status in ((["--help"], 0), (["run", "--help"], 0), ([], 2), (["walk"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == status
