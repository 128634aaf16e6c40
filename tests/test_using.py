"""The model afterwards: exported, fused, quantised, measured; loaded and asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import Call, small_model
from torch import nn

import surefoot as sf
from surefoot import cli, engine
from surefoot.engine.export import exporting
from surefoot.errors import DisagreementError, ExportError, MissingExtraError, OutputError, RequestError, TaskError
from surefoot.tasks.inputs import InputForm, input_form
from surefoot.workflows.source import as_trained_on, form_of, recipe_of, rows_of

Make = Callable[..., Any]


class Convolution(nn.Module):
    """Pictures of 6 x 6 through a convolution with batch normalisation, then a dense layer with one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.second = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(pictures))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        return self.head(self.bag(codes).mean(dim=1))


class Undecided(nn.Module):
    """Asks its own data which way to go, which no exported graph can."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.head(rows) if rows.sum() > 0 else self.head(-rows)


class Spectrum(nn.Module):
    """Takes eigenvalues, which ONNX has no operation for."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.head(torch.linalg.eigvalsh(rows.reshape(-1, 2, 2)))


def pictures(rows: int = 200) -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=rows)
    inputs = generator.normal(size=(rows, 1, 6, 6)).astype(np.float32)
    inputs[np.arange(rows), 0, labels] += 3
    return inputs, labels


@pytest.fixture(scope="module")
def convolution(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A task of pictures and its result, in a folder."""
    task = sf.Task(Convolution, pictures(), test=pictures(90), epochs=6, name="pictures")
    return task, sf.fit(task, directory=tmp_path_factory.mktemp("pictures"))


def onnx_outputs(path: Path, rows: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"input": rows})[0]


@pytest.mark.parametrize("fuse", [False, True])
def test_onnx_gives_the_outputs_of_the_module_at_any_batch(convolution: Any, tmp_path: Path, fuse: bool) -> None:
    task, result = convolution
    found = sf.export(result, path=tmp_path / "model.onnx", task=task, fuse=fuse)
    assert found.record["fused_layers"] == (2 if fuse else None)
    assert found.largest_difference <= 1e-5
    for size in (1, 2, 5, 64):
        rows = task.test[0][:size]
        with torch.no_grad():
            wanted = result.model.eval()(torch.from_numpy(rows)).numpy()
        assert onnx_outputs(found.path, rows) == pytest.approx(wanted, abs=1e-5)
    assert json.loads(found.about.read_text()) == found.record
    assert found.record["input"] == {"name": "input", "shape": ["batch", 1, 6, 6], "dtype": "float32"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.json"]


def test_a_program_of_torch_export_is_the_module(convolution: Any, tmp_path: Path) -> None:
    task, result = convolution
    found = sf.export(result, format="torch_export", path=tmp_path / "model.pt2")
    assert found.record["check"]["rows"] == "rows made up"
    rows = torch.from_numpy(task.test[0][:7])
    with exporting.quiet():
        program = torch.export.load(found.path).module()
    with torch.no_grad():
        assert torch.allclose(program(rows), result.model.eval()(rows), atol=1e-5)


def test_what_stays_outside_is_enough_to_predict_with(tmp_path: Path) -> None:
    """NumPy, ONNX Runtime and the two files: no Surefoot, no PyTorch."""
    from surefoot import tasks

    task = tasks.builtin("iris")
    task.epochs = 10
    result = sf.fit(task, directory=tmp_path / "iris")
    found = sf.export(result)
    assert found.path == tmp_path / "iris/model.onnx"
    about = json.loads(found.about.read_text())
    rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
    scaled = ((rows - about["preparation"]["offset"]) / about["preparation"]["scale"]).astype(about["input"]["dtype"])
    answers = [about["classes"][place] for place in onnx_outputs(found.path, scaled).argmax(axis=1)]
    assert answers == sf.load(tmp_path / "iris").predict(rows) == ["setosa", "virginica"]


def test_int8_is_smaller_and_answers_alike(tmp_path: Path) -> None:
    task = sf.Task(lambda: small_model(256), make_rows(), test=make_rows(90), epochs=6)
    result = sf.fit(task)
    found = sf.export(result, path=tmp_path / "int8.onnx", task=task, quantize="int8")
    check = found.record["check"]
    assert (check["quantized"], check["calibration_rows"]) == ("static", 120)
    assert 0 < check["quantized_difference"] < 0.5
    assert check["same_answer"] > 0.95
    answers = onnx_outputs(found.path, task.test[0]).argmax(axis=1)
    assert np.mean(answers == task.test[1]) > result.metrics["test_accuracy"] - 0.02
    assert {"int8"} <= constants(found.path)


def make_rows(rows: int = 150) -> tuple[Any, Any]:
    generator = np.random.default_rng(1)
    labels = generator.integers(3, size=rows)
    inputs = generator.normal(size=(rows, 4)).astype(np.float32)
    inputs[np.arange(rows), labels] += 4
    return inputs, labels


def constants(path: Path) -> set[str]:
    import onnx

    graph = onnx.load(path).graph
    return {str(onnx.helper.tensor_dtype_to_np_dtype(each.data_type)) for each in graph.initializer if each.dims}


def test_codes_are_made_up_within_what_training_saw_and_int8_needs_no_rows(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(20, size=(60, 5))
    result = sf.fit(sf.Task(Words, (codes, codes[:, 0] % 3), epochs=1))
    assert result.card is not None
    assert result.card["input"] == {"shape": (5,), "dtype": "int64", "low": int(codes.min()), "high": 19}
    found = sf.export(result, path=tmp_path / "model.onnx", quantize="int8")
    assert found.largest_difference <= 1e-5
    assert found.record["check"]["quantized"] == "dynamic"
    assert {"int8"} <= constants(found.path)


def test_what_cannot_be_exported_is_one_line(make_task: Make, tmp_path: Path) -> None:
    place = tmp_path / "model.onnx"
    undecided = sf.fit(make_task(model=Undecided, epochs=1))
    with pytest.raises(ExportError, match="torch.export cannot represent the model: .*data-dependent"):
        sf.export(undecided, path=place)
    with pytest.raises(ExportError, match="torch.fx cannot follow it"):
        sf.export(undecided, path=place, fuse=True)
    spectrum = sf.fit(make_task(model=Spectrum, epochs=1))
    with pytest.raises(ExportError, match="ONNX cannot represent the model: .*_linalg_eigh") as raised:
        sf.export(spectrum, path=place)
    assert "\n" not in str(raised.value)
    assert sf.export(spectrum, format="torch_export", path=tmp_path / "model.pt2").largest_difference <= 1e-5
    with pytest.raises(ExportError, match='quantize "int8" is for the format onnx'):
        sf.export(spectrum, format="torch_export", quantize="int8", path=place)
    with pytest.raises(ExportError, match='did you mean "onnx"'):
        sf.export(spectrum, format="onx", path=place)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="which file"):
        sf.export(spectrum)
    with pytest.raises(OutputError, match=r"cannot write .*model.pt2/under.pt2: .*; choose another file"):
        sf.export(spectrum, format="torch_export", path=tmp_path / "model.pt2/under.pt2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pt2", "model.pt2.json"]


class Mappings:
    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"x": torch.full((4,), float(index)), "y": torch.tensor(index % 3)}


def test_a_model_of_mappings_says_so(tmp_path: Path) -> None:
    def step(model: nn.Module, batch: Any) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    result = sf.fit(sf.Task(small_model, Mappings(), step=step, epochs=1))
    with pytest.raises(ExportError, match="are no arrays; export needs a model of one array"):
        sf.export(result, path=tmp_path / "model.onnx")
    found = sf.export(result, format="torch_export", path=tmp_path / "model.pt2", rows=np.ones((3, 4), np.float32))
    assert found.record["check"]["rows"] == "3 rows given"


def test_disagreement_keeps_nothing_and_ends_with_1(
    convolution: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = convolution[1].directory
    monkeypatch.setattr(engine.Making, "difference", lambda *_, **__: 0.5)
    monkeypatch.setattr(engine.Making, "onnx", lambda *_: folder / "no.onnx")
    with pytest.raises(DisagreementError):
        sf.export(folder)
    monkeypatch.setattr(sys, "argv", ["surefoot", "export", str(folder)])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 1
    said = "the exported model's outputs differ from the model's by 0.5, allowed is 1e-05; nothing was kept"
    assert capsys.readouterr().err == f"Error: {said}\n"
    assert not list(folder.glob("model.onnx*"))


def test_a_missing_extra_is_named(convolution: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"onnxscript; install it with: pip install 'surefoot\[onnx\]'"):
        sf.export(convolution[1], path=tmp_path / "model.onnx")


def test_an_old_card_asks_for_rows(make_task: Make, tmp_path: Path) -> None:
    sf.fit(make_task(model=small_model), directory=tmp_path / "out")
    card = json.loads((tmp_path / "out/model.json").read_text())
    assert card.pop("input") == {"shape": [4], "dtype": "float32"}
    (tmp_path / "out/model.json").write_text(json.dumps(card))
    with pytest.raises(ExportError, match=r"give the task, or rows of it \(--rows FILE.npy\), or train it again"):
        sf.export(tmp_path / "out")
    assert form_of(sf.load(tmp_path / "out"), make_task(), None) == InputForm(shape=(4,), dtype="float32")
    assert form_of(sf.load(tmp_path / "out"), None, np.ones((2, 4))) == InputForm(shape=(4,), dtype="float32")


def test_measure_tells_size_latency_and_quality_of_each_form(convolution: Any, tmp_path: Path) -> None:
    task, result = convolution
    found = sf.measure(result, task, repeats=3)
    assert [form.name for form in found.forms] == ["as trained", "fused", "onnx", "onnx int8"]
    trained, fused, onnx, _ = found.forms
    assert trained.metrics["loss"] == pytest.approx(result.metrics["test_loss"], rel=1e-6)
    assert trained.metrics["accuracy"] == result.metrics["test_accuracy"]
    for same in (fused, onnx):
        assert same.metrics == pytest.approx(trained.metrics, rel=1e-4)
    assert fused.size < trained.size
    for form in found.forms:
        assert set(form.latency) == {1, 64}
        assert 0 < form.latency[1].low <= form.latency[1].median <= form.latency[1].high
    assert (found.part, found.rows, found.notes) == ("test", 90, ())
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_many_zeros_are_said_to_buy_nothing(make_task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # what cannot be made is left out with a reason
    task = make_task()
    result = sf.fit(task)
    with torch.no_grad():
        next(result.model.parameters()).zero_()
    found = sf.measure(result, task, beside=sf.fit(task), repeats=2)
    assert [form.name for form in found.forms] == ["model 1: as trained", "model 2: as trained"]
    assert [form.zeros for form in found.forms] == [pytest.approx(32 / 56), 0.0]
    assert any(note.startswith("Left out  model 1: fused: there is no batch norm") for note in found.notes)
    assert any("model 2: onnx: ONNX needs the package onnxscript" in note for note in found.notes)
    assert "57 % of the weights of 'model 1: as trained' are zero" in found.notes[-1]
    with pytest.raises(RequestError, match="threads must hold whole numbers from 1, not 0"):
        sf.measure(result, task, threads=0)
    with pytest.raises(TaskError, match=r"shape \(.*, 1, 6, 6\); the model takes 4 numbers a row"):
        sf.measure(result, sf.Task(Convolution, pictures()))


def test_the_commands(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("fit", "iris", "--epochs", "3", "--out", "r")[0] == 0
    code, out, _ = call("export", "r", "iris", "--quantize", "int8")
    assert code == 0
    assert out.splitlines()[2].startswith("Check     the outputs agree with the model's to ")
    assert "static, ranges from 90 rows" in out
    code, _, err = call("export", "r", "--quantize", "int8")
    assert (code, err) == (2, "Error: r/model.int8.onnx is there already; --overwrite writes over it\n")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    code, out, _ = call("measure", "r", "iris", "--json", "--repeats", "2")
    assert code == 0
    assert [form["name"] for form in json.loads(out)["forms"]] == ["as trained"]
    code, out, _ = call("measure", "r", "iris", "--repeats", "2")
    assert out.startswith("iris: 30 test rows, CPU, 1 thread; milliseconds a call, the median of 2 interleaved repeats")
    code, _, err = call("export", "r", "--rows", "rows.txt.gz")
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = call("measure", "elsewhere", "iris")
    assert (code, err.count("\n")) == (2, 1)


# Asking a loaded model


def test_the_form_of_a_row_is_kept_for_arrays_and_for_datasets() -> None:
    inputs, labels = pictures(8)
    wanted = InputForm(shape=(1, 6, 6), dtype="float32")
    assert input_form((inputs.astype(np.float64), labels)) == wanted
    assert input_form([(torch.from_numpy(inputs[0]), 1)]) == wanted
    assert input_form(Mappings()) is None
    assert input_form([((inputs[0], inputs[0]), 1)]) is None


def test_a_model_of_a_dataset_predicts_one_row_or_many(tmp_path: Path) -> None:
    rows, labels = pictures()

    class Pairs:
        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return torch.from_numpy(rows[index]), int(labels[index])

    sf.fit(sf.Task(Convolution, Pairs(), loss="cross_entropy", epochs=4), directory=tmp_path / "out")
    model = sf.load(tmp_path / "out")
    many = model.predict(rows)
    assert np.mean(np.array(many) == labels) > 0.8
    assert model.predict(rows[3]) == many[3:4]
    assert model.predict(torch.from_numpy(rows[:2])) == many[:2]
    assert model.predict(rows[:2].tolist()) == many[:2]
    assert model.predict_probabilities(rows[0]).shape == (1, 3)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.ones((2, 6, 6), np.float32), r"the rows have shape \(2, 6, 6\); the model takes shape \(1, 6, 6\) a row"),
        (np.ones((0, 1, 6, 6), np.float32), "there are no rows to predict"),
        (3.0, r"the rows have shape \(\); the model takes"),
        (np.full((2, 1, 6, 6), np.nan), "not finite"),
        (["a", "b"], "the rows hold values of type <U1; the model takes numbers"),
        ([[1.0], [1.0, 2.0]], "the rows differ in length"),
    ],
)
def test_wrong_rows_are_one_line(convolution: Any, rows: Any, said: str) -> None:
    model = sf.load(convolution[1].directory)
    with pytest.raises(TaskError, match=said):
        model.predict(rows)


def test_codes_must_be_whole() -> None:
    with pytest.raises(TaskError, match="the rows hold float64 values; the model takes whole numbers"):
        InputForm(shape=(2,), dtype="int64").fitted([[0.5, 1.0]])


def test_a_model_that_returns_no_tensor_is_one_line(make_task: Make) -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, int]:
            return self.head(rows), 1

    task = make_task(model=Pair, loss=lambda output, target: nn.functional.cross_entropy(output[0], target))
    result = sf.fit(task)
    with pytest.raises(ExportError, match="the model returns tuple; export needs one that returns one tensor"):
        sf.export(result, path="never.onnx")


def test_rows_reach_the_forms_in_the_units_of_the_recipe(tmp_path: Path) -> None:
    """A recipe that standardises: the task's own rows are not what the network takes."""
    inputs, labels = make_rows(300)
    task = sf.Task(small_model, (1000 + 50 * inputs, labels), test=(1000 + 50 * inputs, labels), epochs=25)
    result = sf.fit(task, sf.Recipe(data={"standardize": True}), directory=tmp_path / "out")
    assert result.metrics["test_accuracy"] > 0.9
    trained, *others = sf.measure(tmp_path / "out", task, repeats=2).forms
    assert trained.metrics["accuracy"] == result.metrics["test_accuracy"]
    assert all(form.metrics["accuracy"] > 0.9 for form in others)
    model = sf.load(tmp_path / "out", model=small_model)
    assert model.meaning.startswith("a score a class; the largest one is the answer")
    typical = rows_of(as_trained_on(task, recipe_of(result)).train, form_of(model, task, None), count=50)
    assert abs(float(typical.mean())) < 0.2
