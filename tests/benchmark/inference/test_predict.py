"""``bench predict`` and its Python API on real files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmark.cli.predict import command
from benchmark.datasets.images import load_pixels
from benchmark.inference import load_run
from benchmark.inference.places import output_names
from benchmark.inference.predict import overlay
from benchmark.inference.sources import find_images
from cocoad.base.errors import InputError

MakeImage = Callable[..., Path]


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)


def test_a_folder_gives_a_score_a_map_and_an_overlay_for_each_image(
    tmp_path: Path, trained_run: Path, make_image: MakeImage
) -> None:
    names = ("a.png", "sub/a.jpg", "b.png")
    files = [make_image(tmp_path / "in" / name, seed=seed) for seed, name in enumerate(names)]
    result = predict(trained_run, "--out", tmp_path / "out", "--batch-size", 2, tmp_path / "in")
    assert result.exit_code == 0
    document = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert sorted(one["image"] for one in document["predictions"]) == sorted(map(str, files))
    model = load_run(trained_run)
    low, high = document["overlay_scale"]
    for one in document["predictions"]:
        heat = np.load(tmp_path / "out" / one["map"])
        expected = model.predict(one["image"])
        np.testing.assert_allclose(heat, expected.map, atol=1e-5)
        assert one["score"] == pytest.approx(expected.score, abs=1e-5)
        assert low <= heat.min() <= heat.max() <= high
        with Image.open(tmp_path / "out" / one["overlay"]) as picture:
            assert picture.size == (80, 50)
    scores = [float(line.split("\t")[0]) for line in result.stdout.splitlines()]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 3


def test_a_prediction_is_what_the_method_says_of_the_resized_image(
    trained_run: Path, tmp_path: Path, make_image: MakeImage
) -> None:
    model = load_run(trained_run)
    path = make_image(tmp_path / "a.png", size=(90, 40))
    resized = Image.open(path).resize((64, 64), Image.Resampling.BILINEAR)
    images = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        maps = model.method.anomaly_maps(images)
    prediction = model.predict(path)
    np.testing.assert_allclose(prediction.map, maps[0].numpy(), atol=1e-6)
    assert prediction.score == pytest.approx(float(maps.max()))
    assert model.predict(Image.open(path)).score == prediction.score


def test_an_image_is_predicted_on_as_training_and_scoring_see_it(tmp_path: Path, trained_run: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (50, 80), np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.fromarray(noise).save(tmp_path / "deep.png")
    Image.fromarray((noise >> 8).astype(np.uint8)).save(tmp_path / "side.jpg", exif=exif)
    Image.fromarray(noise.view(np.uint8).reshape(50, 40, 4)).save(tmp_path / "clear.png")
    model = load_run(trained_run)
    for file in tmp_path.glob("*.*"):
        expected = model.predict_batch([load_pixels(file, 64)[0]])[0]
        assert model.predict(file).score == expected.score
        assert model.predict(Image.open(file)).score == expected.score
    assert predict(trained_run, "--out", tmp_path / "out", tmp_path / "side.jpg").exit_code == 0
    with Image.open(tmp_path / "out" / "side.png") as picture:
        assert picture.size == (80, 50)


def test_no_image_is_overwritten(tmp_path: Path, trained_run: Path, make_image: MakeImage) -> None:
    files = [make_image(tmp_path / name, seed=seed) for seed, name in enumerate(("a.png", "b.jpg"))]
    before = [file.read_bytes() for file in files]
    with pytest.raises(InputError, match=r"a\.png is to be read and would be overwritten: give another"):
        predict(trained_run, "--out", tmp_path, *files)
    assert [file.read_bytes() for file in files] == before
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.jpg", "run"}


def test_what_an_earlier_call_wrote_is_not_predicted_on(
    tmp_path: Path, trained_run: Path, make_image: MakeImage
) -> None:
    photos = tmp_path / "photos"
    file = make_image(photos / "a.jpg")
    for _ in range(2):
        result = predict(trained_run, "--out", photos / "out", photos, photos / "**" / "*.[jp][pn]g")
        assert "1 images; in" in result.stderr
    assert find_images([str(photos / "*.jpg")], out=tmp_path) == [file]


def test_an_image_with_the_longest_name_is_predicted_on(
    tmp_path: Path, trained_run: Path, make_image: MakeImage
) -> None:
    for suffix in (".png", ".jpg"):
        make_image(tmp_path / "in" / ("ü" * 125 + "x" + suffix))
    assert predict(trained_run, "--out", tmp_path / "out", tmp_path / "in").exit_code == 0
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.npy")) == [
        "ü" * 124 + "-2",
        "ü" * 125 + "x",
    ]


def test_an_unreadable_image_is_named_and_the_others_are_predicted(
    tmp_path: Path, trained_run: Path, make_image: MakeImage
) -> None:
    make_image(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    result = predict(trained_run, "--out", tmp_path / "out", tmp_path / "in")
    assert result.exit_code == 1
    assert "bad.png: not a readable image" in result.stderr
    document = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [Path(one["image"]).name for one in document["predictions"]] == ["good.png"]
    assert len(document["unreadable"]) == 1


def test_globs_files_and_folders_mix_and_no_image_comes_twice(tmp_path: Path, make_image: MakeImage) -> None:
    a, b, c = (make_image(tmp_path / name) for name in ("a.png", "x/b.jpg", "x/y/c.png"))
    (tmp_path / "x" / "notes.txt").write_text("no image")
    sources = [str(a), str(tmp_path / "**" / "*.png"), str(tmp_path / "x")]
    assert find_images(sources, tmp_path / "out") == [a, c, b]


@pytest.mark.parametrize("source", ["nowhere.png", "none/*.png", "a**b["])
def test_a_source_without_images_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="no images at"):
        find_images([source], Path("out"))


PARTS = st.sampled_from(["a", "b", "..", "c"])


@given(st.lists(st.lists(PARTS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_output_names_are_unique_and_stay_in_the_folder(paths: list[list[str]]) -> None:
    files = [Path(*parts, "image.jpg") for parts in paths] + [Path("image.png")]
    names = output_names(files)
    assert len(set(names.values())) == len(set(files))
    assert not any(Path(name).is_absolute() or ".." in Path(name).parts for name in names.values())


def test_the_overlay_is_the_image_where_nothing_is_hot() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    heat = np.zeros((10, 10), np.float32)
    heat[:, 6:] = 1
    drawn = np.asarray(Image.open(io.BytesIO(overlay(image, heat))))
    np.testing.assert_array_equal(drawn[:, :30], np.asarray(image)[:, :30])
    assert (drawn[:, 45:] != np.asarray(image)[:, 45:]).any(axis=2).all()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "config.yaml").unlink(), "is not a run directory"),
        (lambda run: (run / "weights.safetensors").unlink(), "has the run finished"),
        (lambda run: (run / "weights.safetensors").write_bytes(b"\0" * 99), "no readable weights"),
        (lambda run: (run / "config.yaml").write_text("method: ["), "not a run's configuration"),
        (lambda run: (run / "config.yaml").write_text("method: x"), "required field `image_size`"),
        (lambda run: rewrite(run, image_size=10**9), r"Expected `int` <= 4096 - at `\$\.image_size`"),
        (lambda run: rewrite(run, method="nothing"), "no method 'nothing'"),
        (lambda run: rewrite(run, image_size=96), "not of the method in config.yaml"),
    ],
)
def test_a_damaged_run_is_refused_with_the_reason(
    trained_run: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(trained_run)
    with pytest.raises(InputError, match=message):
        load_run(trained_run)


def rewrite(run: Path, **changes: object) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, **changes}))


def test_weights_that_give_nan_are_not_silently_used(
    trained_run: Path, tmp_path: Path, make_image: MakeImage
) -> None:
    model = load_run(trained_run)
    with torch.no_grad():
        next(p for p in model.method.parameters() if p.requires_grad).fill_(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        model.predict(make_image(tmp_path / "a.png"))
