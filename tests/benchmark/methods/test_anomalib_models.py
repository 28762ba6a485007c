"""anomalib's models as methods: the real package, trained end to end on small drawn images."""

from __future__ import annotations

import json
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmark.cli import bench
from benchmark.config import Recipe
from benchmark.methods.anomalib_adapter import known
from benchmark.methods.anomalib_adapter.training import train
from benchmark.methods.registry import canonical, create, method_class
from benchmark.runs.outputs import read_scores
from benchmark.runs.record import read_record
from benchmark.training.memory import memory_error
from cocoad.base.errors import CocoadError, InputError, ResourceError

SIZE = 64
needs_anomalib = pytest.mark.skipif(
    util.find_spec("anomalib") is None, reason="needs the extra cocoad[anomalib]"
)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder dataset: eight noisy tiles to train on, three good and three with a bright square to test on."""
    root, random = tmp_path_factory.mktemp("data") / "tiles", np.random.default_rng(0)
    for index in range(14):
        kind = "train/good" if index < 8 else "test/good" if index < 11 else "test/square"
        pixels, mask = random.integers(90, 120, (SIZE, SIZE, 3), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
        if kind == "test/square":
            pixels[16:40, 16:40], mask[16:40, 16:40] = 250, 255
            (root / "ground_truth" / "square").mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "ground_truth" / "square" / f"{index}_mask.png")
        (root / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / kind / f"{index}.png")
    return root


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def run(tiles: Path, out: Path, method: str, *more: str) -> Path:
    arguments = ["run", "--method", method, "--dataset", str(tiles), "--out", str(out), "--weights", "random"]
    arguments += ["--backbone", "resnet18", "--batch-size", "4", "--epochs", "2", "--image-size", str(SIZE)]
    arguments += ["--device", "cpu", "--workers", "0", "--no-cache", *more]
    result = CliRunner().invoke(bench, arguments, catch_exceptions=False, standalone_mode=False)
    assert "next: bench leaderboard" in result.output
    return next(out.iterdir())


def scores(directory: Path) -> list[float]:
    return [image.score for image in read_scores(directory)]


@needs_anomalib
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "epochs"), [("Padim", 1), ("Patchcore", 1), ("Stfpm", 2), ("ReverseDistillation", 2)]
)
def test_a_model_is_trained_ranked_repeated_and_restored(
    tiles: Path, tmp_path: Path, name: str, epochs: int
) -> None:
    method = f"anomalib:{name}"
    first = run(tiles, tmp_path / "a", method)
    record = read_record(first)
    found = [value for metrics in record.metrics.values() for value in metrics.values()]
    assert found
    assert all(value is not None and 0 <= value <= 1 for value in found)
    assert record.epochs == epochs
    assert record.environment["packages"]["anomalib"] == known.installed()
    assert (record.method.trainable_parameters == 0) == (name in ("Padim", "Patchcore"))
    listed = CliRunner().invoke(bench, ["leaderboard", str(tmp_path / "a")], catch_exceptions=False)
    assert method in listed.output

    second = run(tiles, tmp_path / "b", method)
    assert read_record(second).metrics == record.metrics
    assert scores(second) == scores(first)

    weights = ("--checkpoint", str(first / "weights.safetensors"), "--eval-only", "--seed", "7")
    restored = run(tiles, tmp_path / "c", method, *weights)
    assert read_record(restored).metrics == record.metrics
    assert scores(restored) == scores(first)

    images = sorted((tiles / "test" / "square").iterdir())
    arguments = ["predict", str(first), *map(str, images), "--out", str(tmp_path / "maps")]
    predicted = CliRunner().invoke(bench, [*arguments, "--device", "cpu"], catch_exceptions=False)
    assert predicted.exit_code == 0, predicted.output
    maps = [np.load(path) for path in sorted((tmp_path / "maps").glob("*.npy"))]
    assert len(maps) == len(images)
    assert all(one.shape == (SIZE, SIZE) and np.isfinite(one).all() for one in maps)


@needs_anomalib
def test_a_method_gives_maps_of_the_images_size_and_one_score_each() -> None:
    method = create("anomalib:Dinomaly", SIZE, "vit_small_patch14_reg4_dinov2").eval()
    with torch.inference_mode():
        maps, image_scores = method.predict(torch.rand(2, 3, SIZE, SIZE))
    assert (maps.shape, image_scores.shape) == ((2, SIZE, SIZE), (2,))  # from 56 pixels, four patches of 14
    assert (maps.dtype, image_scores.dtype) == (torch.float32, torch.float32)


@needs_anomalib
def test_building_twice_from_one_seed_gives_the_same_weights_also_where_python_draws() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(create("anomalib:Padim", SIZE, "resnet18").state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@needs_anomalib
def test_a_tensor_that_a_model_has_twice_is_saved_once_and_restored_in_both_places(tmp_path: Path) -> None:
    method = create("anomalib:SuperADD", SIZE, "vit_small_patch16_dinov3")
    names = {name.split(".")[1] for name in method.state_dict()}
    assert "backbone" in names
    assert "patch_exec" not in names
    save_file(method.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(9)
    other = create("anomalib:SuperADD", SIZE, "vit_small_patch16_dinov3")
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(method.parameters(), other.parameters(), strict=True))


@needs_anomalib
@pytest.mark.parametrize("name", ["Padim", "Cfa"])  # encoders from timm and from torchvision
def test_a_file_of_weights_fills_the_encoder_and_another_networks_file_is_refused(
    tmp_path: Path, name: str
) -> None:
    import timm

    file, wrong = tmp_path / "resnet18.safetensors", tmp_path / "resnet34.safetensors"
    tensors = timm.create_model("resnet18", pretrained=False).state_dict()
    for key, tensor in tensors.items():
        if key.endswith("running_mean"):
            tensor.uniform_()  # a trained network has statistics
    save_file(tensors, file)
    save_file({"conv1.weight": torch.zeros(3, 3)}, wrong)
    method = create(f"anomalib:{name}", SIZE, "resnet18")
    method.load_backbones(str(file))
    loaded = method.state_dict()
    key = next(key for key in loaded if key.endswith("layer2.0.conv1.weight"))
    assert torch.equal(loaded[key], tensors["layer2.0.conv1.weight"])
    with pytest.raises(InputError, match="no weights of resnet18"):
        method.load_backbones(str(wrong))
    with pytest.raises(InputError, match="no weights at"):
        method.load_backbones(str(tmp_path / "missing.pth"))


@needs_anomalib
def test_a_failed_download_names_both_ways_round_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    method, create_model = create("anomalib:Padim", SIZE, "resnet18"), timm.create_model

    def offline(*arguments: object, pretrained: bool = False, **options: object) -> object:
        if pretrained:
            raise OSError("no route to host")
        return create_model(*arguments, pretrained=False, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ResourceError, match=r"resnet18 \(no route to host\): .*PATH.*--weights random"):
        method.load_backbones("imagenet")


@needs_anomalib
def test_what_a_model_does_not_take_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no option 'depth': there are backbone, layers, n_features"):
        create("anomalib:Padim", SIZE, depth=3)
    with pytest.raises(InputError, match="Draem has no backbone to choose"):
        create("anomalib:Draem", SIZE, "resnet18")
    with pytest.raises(InputError, match=r"was not built at 64 pixels \(.*resnet_1"):
        create("anomalib:Stfpm", SIZE, "resnet_1")
    with pytest.raises(InputError, match="no weights at"):
        create("anomalib:Fastflow", SIZE).load_backbones(str(tmp_path / "none.pth"))


class _Images:
    """Four epochs' worth of two batches."""

    def __len__(self) -> int:
        return 2

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(torch.rand(2, 4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)))


def _unheard(done: int, steps: int, loss: torch.Tensor) -> None:
    """Hear nothing."""


@needs_anomalib
def test_a_model_that_needs_other_images_says_which_before_it_trains(tmp_path: Path) -> None:
    for name, option in (("Draem", "dtd_dir"), ("EfficientAd", "imagenet_dir")):
        for options in ({}, {option: str(tmp_path)}):
            method = create(f"anomalib:{name}", SIZE, **options)
            with pytest.raises(InputError, match=rf"{name} needs .*options.{option}=FOLDER.*imagenet"):
                method.fit(_Images(), Recipe(epochs=1, batch_size=1), _unheard)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="one image at a time"):
        create("anomalib:EfficientAd", SIZE).fit(_Images(), Recipe(batch_size=4), _unheard)  # type: ignore[attr-defined]


@needs_anomalib
def test_a_loss_that_is_not_finite_and_an_interruption_end_the_training() -> None:
    method = create("anomalib:Stfpm", SIZE, "resnet18")
    with torch.no_grad():
        next(method.module.model.student_model.parameters()).fill_(float("nan"))  # type: ignore[union-attr]
    with pytest.raises(CocoadError, match="the loss became nan by step 2"):
        train(method.module, _Images(), Recipe(epochs=1, batch_size=4), torch.device("cpu"), _unheard)

    def interrupt(done: int, steps: int, loss: torch.Tensor) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create("anomalib:Stfpm", SIZE, "resnet18").fit(  # type: ignore[attr-defined]
            _Images(), Recipe(epochs=1, batch_size=4), interrupt
        )


@needs_anomalib
def test_the_list_of_models_is_anomalibs() -> None:
    import inspect

    import anomalib.models

    assert set(known.MODELS) <= set(anomalib.models.__all__)
    if str(known.installed()).startswith("2.7."):  # later ones may have more
        assert set(known.MODELS) == set(anomalib.models.__all__)
    for name, about in known.MODELS.items():
        if about.backbone:
            parameters = inspect.signature(getattr(anomalib.models, name)).parameters
            assert parameters[about.backbone_option].default == about.backbone


def test_names_are_taken_in_any_case_and_an_unknown_one_lists_those_there_are() -> None:
    assert canonical("anomalib:padim") == "anomalib:Padim"
    assert canonical("anomalib:EfficientAD") == "anomalib:EfficientAd"
    assert canonical("padim") == "padim"
    with pytest.raises(
        InputError, match=r"no model 'Nothing' of anomalib: there are AnomalyDINO, Cfa, .*UniNet"
    ):
        method_class("anomalib:Nothing")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("WinClip", "text prompts"),
        ("Ganomaly", "no anomaly maps"),
        ("AiVad", "video"),
        ("CFM", "point cloud"),
    ],
)
def test_a_model_that_cannot_work_says_why(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"anomalib:{name} cannot work here: .*{reason}"):
        method_class(f"anomalib:{name}")
    rows = json.loads(CliRunner().invoke(bench, ["methods", "--json"], catch_exceptions=False).output)
    (row,) = (row for row in rows if row["name"] == f"anomalib:{name}")
    assert reason in row["note"]


def test_without_anomalib_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.methods.anomalib_adapter.known.find_spec", lambda name: None)
    monkeypatch.setattr("benchmark.methods.catalogue.installed", lambda: None)
    with pytest.raises(
        InputError,
        match=r"^anomalib:Padim needs an extra: pip install '\.\[anomalib\]' in a clone of the repository$",
    ):
        method_class("anomalib:padim")
    rows = json.loads(CliRunner().invoke(bench, ["methods", "--json"], catch_exceptions=False).output)
    packages = {row["package"] for row in rows if row["name"].startswith("anomalib:")}
    assert packages == {"needs cocoad[anomalib]"}


@needs_anomalib
def test_speed_is_not_measured_and_a_sweep_does_not_ask_for_it(tiles: Path, tmp_path: Path) -> None:
    arguments = ["profile", "--method", "anomalib:Padim", "--image-size", str(SIZE), "--device", "cpu"]
    with pytest.raises(InputError, match="anomalib:Padim trains itself"):
        CliRunner().invoke(bench, arguments, catch_exceptions=False, standalone_mode=False)
    arguments = ["sweep", "--methods", "anomalib:padim,anomalib:Stfpm", "--dataset", str(tiles)]
    arguments += ["--out", str(tmp_path / "runs"), "--device", "cpu", "--dry-run"]
    planned = CliRunner().invoke(bench, arguments, catch_exceptions=False, standalone_mode=False)
    assert "anomalib-Padim_tiles_seed-42" in planned.output
    assert "bench profile" not in planned.output


@needs_anomalib
def test_out_of_memory_promises_no_batch_size_that_nobody_tried() -> None:
    method = create("anomalib:Stfpm", SIZE, "resnet18")
    error = memory_error(torch.OutOfMemoryError("no room"), method, (8, 3, SIZE, SIZE))
    assert isinstance(error, ResourceError)
    assert str(error) == "out of memory with 8 images in a batch: give a smaller --batch-size"


def test_what_is_said_of_anomalibs_dinomaly_is_so() -> None:
    method = create("anomalib:Dinomaly", 56, "vit_small_patch14_reg4_dinov2").eval()
    linears = {
        name: module
        for part in ("bottleneck", "decoder")
        for name, module in getattr(method.network, part).named_modules(prefix=part)
        if isinstance(module, torch.nn.Linear) and "attn" not in name
    }
    assert len(linears) == 18
    assert all(module.bias is None for module in linears.values())
    with torch.no_grad():
        maps, scores = method.predict(torch.rand(2, 3, 56, 56))
    highest = maps.flatten(1).sort(dim=1, descending=True).values[:, : 56 * 56 // 100].mean(1)
    assert not torch.allclose(scores, highest, atol=1e-4)  # as they would if it were the map that is scored
