"""Augmentation: what is drawn, what it does to pictures and losses, and that only training sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.objective import Objective
from surefoot.engine.rows.augmentation import Augmentation
from surefoot.engine.rows.batches import open_batches
from surefoot.engine.rows.mixing import Mixed
from surefoot.engine.slicing import part_of, part_sizes
from surefoot.errors import RecipeError, TaskError, UnsupportedError
from surefoot.recipe import Data, Recipe
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.training import never

Make = Callable[..., Any]
EVERYTHING = {"flip": 0.5, "crop": 1, "noise": 0.1, "mixup": 0.4, "cutmix": 1.0}
ROWS = 40
# every pixel of every row is another number, and none is 0
PICTURES = torch.arange(1.0, 1 + ROWS * 2 * 5 * 4).reshape(ROWS, 2, 5, 4)
LABELS = torch.arange(ROWS) % 3


def augmented(position: int = 0, seed: int = 0, pictures: Tensor = PICTURES, **data: Any) -> Any:
    return Augmentation(Data(**data), seed=seed, has_step=False)((pictures, LABELS[: len(pictures)]), position)


def picture_task(**changes: Any) -> sf.Task:
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=ROWS)
    inputs = (generator.normal(size=(ROWS, 2, 5, 4)) + labels[:, None, None, None]).astype(np.float32)
    return sf.Task(**{"model": network, "train": (inputs, labels), "epochs": 4, **changes})


def network(norm: bool = False) -> nn.Module:
    normed = [nn.BatchNorm1d(8)] if norm else []
    return nn.Sequential(nn.Flatten(), nn.Linear(40, 8), *normed, nn.ReLU(), nn.Linear(8, 3))


def run_of(task: sf.Task, *, seed: int = 1, **sections: Any) -> Any:
    factory = TorchFactory(task)
    return factory.create(Recipe(**{"batch": {"size": 7}, **sections}).complete(factory.num_rows), seed=seed)


def weights_of(run: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("as_channels", [True, False])
def test_a_crop_is_a_window_of_the_padded_picture(as_channels: bool) -> None:
    pictures = PICTURES if as_channels else PICTURES[:, 0]
    before = pictures.clone()
    cropped, labels = augmented(crop=2, pictures=pictures)
    padded = nn.functional.pad(pictures, (2, 2, 2, 2))
    places = set()
    for row in range(ROWS):
        windows = {
            (top, left): padded[row, ..., top : top + 5, left : left + 4] for top in range(5) for left in range(5)
        }
        (place,) = [place for place, window in windows.items() if torch.equal(window, cropped[row])]
        places.add(place)
    assert len(places) > 10
    assert torch.equal(labels, LABELS)
    assert torch.equal(pictures, before)


def test_a_flip_mirrors_about_as_many_rows_as_asked() -> None:
    whole = torch.cat([PICTURES] * 25)[:1000]
    found, _ = Augmentation(Data(flip=0.3), seed=0, has_step=False)((whole, torch.zeros(1000)), 0)
    turned = [bool(torch.equal(row, before.flip(-1))) for row, before in zip(found, whole, strict=True)]
    kept = [bool(torch.equal(row, before)) for row, before in zip(found, whole, strict=True)]
    assert sum(turned) + sum(kept) == 1000
    assert abs(sum(turned) - 300) < 3 * (1000 * 0.3 * 0.7) ** 0.5
    assert torch.equal(augmented(flip=1.0)[0], PICTURES.flip(-1))


def test_noise_is_as_wide_as_asked_and_as_the_draws_of_no_other_key() -> None:
    plain = torch.zeros(ROWS, 2, 5, 4, dtype=torch.float64)
    noise, _ = augmented(noise=0.25, pictures=plain)
    assert noise.dtype == torch.float64
    assert float(noise.std()) == pytest.approx(0.25, rel=0.05)
    assert abs(float(noise.mean())) < 4 * 0.25 / noise.numel() ** 0.5
    flipped, _ = augmented(flip=1.0, noise=0.25, pictures=plain)
    assert torch.equal(noise, flipped)


def test_a_cut_takes_the_share_of_pixels_that_its_loss_says() -> None:
    shares = []
    for position in range(200):
        found = augmented(position, cutmix=1.0)
        partner = torch.tensor([int(label) for label in found.other_target])
        own = (found.inputs == PICTURES).float().mean()
        # a row that is its own partner differs nowhere; the other rows all lost the same rectangle
        cut = (found.inputs != PICTURES).any(1).float().mean((1, 2))
        assert all(value == 0.0 or value == pytest.approx(1 - found.share) for value in cut.tolist())
        assert float(own) >= found.share - 1e-6
        assert torch.equal(partner.sort()[0], LABELS.sort()[0])
        shares.append(found.share)
    # of λ uniform in (0, 1), the rectangle's centre anywhere: what is left is on average more than a half
    assert 0.5 < np.mean(shares) < 0.8


def test_mixup_interpolates_inputs_and_its_share_is_a_beta() -> None:
    shares = []
    for position in range(400):
        found = augmented(position, mixup=0.2)
        shares.append(found.share)
        if position < 20:
            rows = (found.inputs - found.share * PICTURES) / max(1 - found.share, 1e-3)
            if found.share < 0.9:
                partners = ((rows[:, 0, 0, 0] - 1) / 40).round().long()
                torch.testing.assert_close(
                    found.inputs, found.share * PICTURES + (1 - found.share) * PICTURES[partners], rtol=1e-4, atol=1e-2
                )
                assert torch.equal(LABELS[partners], found.other_target)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * 0.2 + 1)), rel=0.1)  # of Beta(α, α)


def test_both_together_take_turns() -> None:
    kinds = [float(augmented(position, mixup=1.0, cutmix=1.0).inputs.frac().abs().max()) > 0 for position in range(100)]
    assert 30 < sum(kinds) < 70  # only mixup makes fractions of whole numbers


def test_mixup_is_the_cross_entropy_of_mixed_probabilities() -> None:
    model = network().double()
    inputs = torch.randn(ROWS, 2, 5, 4, dtype=torch.float64)
    batch = Mixed(inputs, LABELS, None, LABELS.flip(0), None, 0.3)
    one_hot = nn.functional.one_hot(LABELS, 3).double()
    wanted = nn.functional.cross_entropy(model(inputs), 0.3 * one_hot + 0.7 * one_hot.flip(0))
    found = Objective.of(picture_task(), Recipe())(model, batch, ROWS)
    torch.testing.assert_close(found.training, wanted)
    assert found.weight == pytest.approx(ROWS)


def own_sum(output: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, target, reduction="sum")


own_sum.reduction = "sum"  # type: ignore[attr-defined] # as PyTorch's own losses have it


def own_weighted(output: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    return (nn.functional.cross_entropy(output, target, reduction="none") * weights).sum() / weights.sum()


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "hinge", "classes weighted", own_sum, own_weighted])
@pytest.mark.parametrize("is_weighted", [False, True])
@settings(max_examples=10, deadline=None)
@given(size=st.integers(1, 40), share=st.sampled_from([0.0, 0.25, 0.9, 1.0]))
def test_a_mixed_loss_is_that_of_both_rows_and_the_same_in_parts(
    loss: Any, is_weighted: bool, size: int, share: float
) -> None:
    if loss is own_sum and is_weighted:
        return  # a sum has no weights
    changes = {"loss": {"class_weights": [1.0, 3.0, 9.0]}} if loss == "classes weighted" else {}
    task = picture_task(loss="cross_entropy" if loss == "classes weighted" else loss)
    objective = Objective.of(task, Recipe(**changes))
    torch.manual_seed(0)
    model = network().double()
    inputs, others = torch.randn(ROWS, 2, 5, 4, dtype=torch.float64), torch.randperm(ROWS)
    weights = torch.rand(ROWS, dtype=torch.float64) if is_weighted else None
    other_weights = None if weights is None else weights[others]
    batch = Mixed(inputs, LABELS, weights, LABELS[others], other_weights, share)
    whole = objective(model, batch, ROWS)

    # the slow twin: every row there twice, its weight λ once and 1 − λ once
    each = torch.ones(ROWS, dtype=torch.float64) if weights is None else weights
    doubled = torch.cat([share * each, (1 - share) * each[others]])
    both = torch.cat([LABELS, LABELS[others]])
    output = model(inputs).repeat(2, 1)
    if loss is own_sum:
        wanted = (nn.functional.cross_entropy(output, both, reduction="none") * doubled).sum()
        assert whole.is_sum
    else:
        wanted = objective.of_output(output, both, doubled).training
    torch.testing.assert_close(whole.training, wanted)

    total, counted, start = torch.zeros((), dtype=torch.float64), 0.0, 0
    for rows in part_sizes(ROWS, size):
        part = objective(model, part_of(batch, start, start + rows, count=ROWS), rows)
        start += rows
        if part.weight:
            total = total + part.training * (1.0 if part.is_sum else part.weight)
            counted += part.weight
    torch.testing.assert_close(total if whole.is_sum else total / counted, whole.training)
    assert counted == pytest.approx(whole.weight)


@pytest.mark.parametrize("batch", [{"micro_batch": 3}, {"policy": "noise_scale", "look_every": 1, "largest": 7}])
def test_parts_and_looks_leave_the_trajectory_as_it_was(batch: dict[str, Any]) -> None:
    found = []
    for way in ({}, {"smallest": 7, **batch} if "policy" in batch else batch):
        run = run_of(picture_task(), data=EVERYTHING, batch={"size": 7, **way})
        run.advance(run.horizon, should_stop=never)
        found.append(weights_of(run))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("data", [EVERYTHING, {"transform": "kornia.augmentation:RandomHorizontalFlip", "noise": 0.2}])
def test_a_resume_draws_the_same(tmp_path: Path, data: dict[str, Any]) -> None:
    whole = run_of(picture_task(), data=data)
    whole.advance(50, should_stop=never)
    whole.save_checkpoint(tmp_path, {})
    whole.advance(whole.horizon, should_stop=never)
    resumed = run_of(picture_task(), data=data)
    resumed.load_checkpoint(tmp_path)
    resumed.advance(whole.horizon, should_stop=never)
    assert_equal(weights_of(whole), weights_of(resumed))
    plain = run_of(picture_task())
    plain.advance(plain.horizon, should_stop=never)
    assert any(not torch.equal(value, weights_of(plain)[name]) for name, value in weights_of(whole).items())


class Pictures:
    """A dataset of pictures."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> Any:
        return PICTURES[index] / 400, int(LABELS[index])


def test_the_same_from_memory_from_a_dataset_and_from_workers() -> None:
    found = []
    arrays = (PICTURES / 400, LABELS)
    for train, workers in ((arrays, 0), (Pictures(), 0), (Pictures(), 2)):
        task = picture_task(train=train, validation=arrays, loss="cross_entropy")
        run = run_of(task, data={**EVERYTHING, "workers": workers})
        run.advance(60, should_stop=never)
        run.release()
        found.append(weights_of(run))
    assert_equal(found[0], found[1])
    assert_equal(found[0], found[2])


def test_processes_that_share_a_dataset_draw_each_for_itself() -> None:
    arrays = (torch.zeros(ROWS, 2, 5, 4), LABELS)
    found = {}
    for name, train in (("memory", arrays), ("dataset", torch.utils.data.StackDataset(*arrays))):
        task = picture_task(train=train, validation=arrays, loss="cross_entropy")
        recipe = Recipe(data={"noise": 1.0}).complete(ROWS)
        for rank in range(2):
            loader, augment = open_batches(
                task, recipe, TorchFactory(task).parts["train"], seed=0, plan=lambda _: 0,
                device=torch.device("cpu"), share=lambda count, rank=rank: (rank * count // 2, (rank + 1) * count // 2),
            )  # fmt: skip
            assert augment is not None
            found[name, rank] = augment(loader.batch(8, 8)[0], 8)[0]
    whole = augmented(8, noise=1.0, pictures=torch.zeros(8, 2, 5, 4))[0]
    assert torch.equal(torch.cat([found["memory", 0], found["memory", 1]]), whole)
    assert not (found["dataset", 0] == found["dataset", 1]).any()


class Watching(nn.Module):
    """Remembers the largest input of every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[float, int]] = []
        self.layers = network(norm=True)

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append((float(inputs.abs().max()), len(inputs)))
        found: Tensor = self.layers(inputs)
        return found


def test_evaluation_and_calibration_see_the_rows_as_they_are() -> None:
    task = picture_task(model=Watching)
    run = run_of(task, data={"noise": 1e4}, optimizer={"name": "schedule_free_adamw"})
    run.advance(28, should_stop=never)
    assert min(largest for largest, _ in run.model.seen) > 1e3
    run.model.seen.clear()
    run.keep_best()  # measures the batch statistics of the averaged weights on training rows
    assert run.model.seen
    for part in ("train", "validation"):
        run.evaluate(part)
    run.fixed_loss(16)
    assert max(largest for largest, _ in run.model.seen) < 10


def left_or_right(generator: np.random.Generator, rows: int, *, mirrored: bool) -> Any:
    """A shape (class) in the left half of a picture, or its mirror image in the right one."""
    shapes = np.random.default_rng(5).normal(size=(3, 6, 4)).astype(np.float32)
    labels = generator.integers(3, size=rows)
    pictures = generator.normal(scale=0.3, size=(rows, 1, 6, 8)).astype(np.float32)
    pictures[:, 0, :, :4] += shapes[labels]
    return (pictures[..., ::-1].copy() if mirrored else pictures), labels


def shape_reader() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 3))


def test_a_flip_teaches_mirror_images() -> None:
    generator = np.random.default_rng(1)
    train = left_or_right(generator, 200, mirrored=False)
    validation = left_or_right(generator, 100, mirrored=True)
    task = sf.Task(shape_reader, train, validation=validation, epochs=10, objective="validation_accuracy")
    accuracy = [sf.fit(task, Recipe(data={"flip": flip})).metrics["validation_accuracy"] for flip in (0.0, 0.5)]
    assert accuracy[0] < 0.8
    assert accuracy[1] > 0.95


def test_a_transform_of_kornias_does_what_the_flip_does() -> None:
    flips = Augmentation(Data(transform="kornia.augmentation:RandomHorizontalFlip"), seed=0, has_step=False)
    one, two = (flips((PICTURES, LABELS), 0)[0] for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, flips((PICTURES, LABELS), 1)[0])
    turned = [bool(torch.equal(row, before.flip(-1))) for row, before in zip(one, PICTURES, strict=True)]
    assert 8 < sum(turned) < 32


def test_the_keys_can_be_tuned() -> None:
    space = {"data.noise": sf.space.log(1e-3, 0.3), "data.flip": sf.space.choice(0.0, 0.5)}
    result = sf.tune(picture_task(epochs=60), budget=1.0, space=space)
    assert len({run.recipe["data"]["noise"] for run in result.study.runs}) > 1


def test_off_changes_nothing_and_on_is_said(make_task: Make) -> None:
    assert not Data().augments
    run = run_of(picture_task())
    assert run._augmentation is None
    factory = TorchFactory(make_task())
    recipes = [Recipe(data={"noise": 0.1}).complete(48)] * 2
    with pytest.raises(UnsupportedError, match=r"cannot be stacked: data\.noise changes the rows"):
        factory.stack([(recipe, seed) for seed, recipe in enumerate(recipes)])
    result = sf.fit(picture_task(epochs=1), Recipe(data={"mixup": 0.1, "crop": 1}))
    assert "not in this code, see the recipe: data.crop, data.mixup" in pytorch_code(result.study)


def no_picture(batch: Tensor) -> float:
    return 0.5


def failing(batch: Tensor) -> Tensor:
    raise ZeroDivisionError("on purpose")


def own_step(model: nn.Module, batch: Any) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def of_codes() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.EmbeddingBag(2000, 3))


WHOLE = torch.arange(ROWS * 40).reshape(ROWS, 2, 5, 4)


@pytest.mark.parametrize(
    ("changes", "data", "said"),
    [
        ({"train": (PICTURES.flatten(1), LABELS)}, {"flip": 0.5}, r"data\.flip is for pictures.*\(2, 40\).*a table"),
        ({"train": (PICTURES.flatten(1), LABELS)}, {"crop": 2}, r"data\.crop is for pictures"),
        ({"train": (PICTURES.flatten(1), LABELS)}, {"cutmix": 1.0}, r"data\.cutmix is for pictures"),
        ({"train": (WHOLE, LABELS), "model": of_codes}, {"mixup": 0.2}, r"data\.mixup adds fractions.*whole numbers"),
        ({"train": (WHOLE, LABELS), "model": of_codes}, {"noise": 0.2}, r"data\.noise adds fractions.*whole numbers"),
        ({"step": own_step}, {"mixup": 0.2}, r"data\.mixup mixes the losses.*own step"),
        ({}, {"crop": 4}, r"data\.crop is 4, but the pictures have 5 x 4 pixels.*at most 3"),
        ({}, {"transform": "math:pi"}, r"math:pi\", which is not a function"),
        ({}, {"transform": "no_such_module:x"}, r"cannot be had \(.*No module named"),
        ({}, {"transform": f"{__name__}:no_picture"}, "which made float of a batch of 2 rows"),
        ({}, {"transform": f"{__name__}:failing"}, r"failed at test_augmentation\.py:\d+: ZeroDivisionError: on pur"),
    ],
)
def test_what_cannot_work_is_one_line(changes: dict[str, Any], data: dict[str, Any], said: str) -> None:
    with pytest.raises((RecipeError, TaskError), match=said) as caught:
        sf.fit(picture_task(**changes), Recipe(data=data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"flip": 1.5}, r"data\.flip is 1\.5"),
        ({"crop": -1}, r"data\.crop is -1"),
        ({"crop": 1.5}, r"data\.crop is 1\.5"),
        ({"noise": float("nan")}, r"data\.noise is nan"),
        ({"mixup": -0.1}, r"data\.mixup is -0\.1"),
        ({"transform": "rotate"}, r'data\.transform is "rotate"; a function is named "package\.module:name"'),
        ({"mixpu": 0.1}, r'there is no key "data\.mixpu"; did you mean "mixup"'),
    ],
)
def test_ill_values_are_one_line(data: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe(data=data)


def test_a_step_of_ones_own_takes_the_others() -> None:
    task = picture_task(step=own_step)
    result = sf.fit(task, Recipe(data={"flip": 0.5, "noise": 0.1}))
    assert result.status == "completed"
