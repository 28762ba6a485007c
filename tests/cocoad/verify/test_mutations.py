"""What `cocoad verify` finds of a dataset that somebody or something has falsified, and that sound ones are sound.

`pytest -s` prints how many kinds were found, and how. Run all of them with `make reliability`.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from cocoad.build.builder import build_dataset
from cocoad.coco.partition import categories
from cocoad.dataset.manifest import BuildOptions
from cocoad.export import export_official
from cocoad.sample import draw_sample
from cocoad.verify import verify
from tests.cocoad.verify.mutant import Mutant, OfficialMutant
from tests.cocoad.verify.mutations import MUTATIONS, OF_ANNOTATIONS, OF_PIXELS, OF_THE_OFFICIAL_LAYOUT

HARMLESS = {"the tool's version", "the notes", "whether images may be missing"}
WHOLE = {"a split deleted altogether"}  # a dataset of three splits, which --official refuses
WARNED = {"a mask of nobody": "warning"}
OF_THE_MANIFEST = {  # which no hash covers: what is recorded here is recomputed
    "the rasteriser": "deep",
    "what becomes of unannotated images": "deep",
    "whether crowds count": "deep",
    "the name of an annotation file": "deep",
    "an annotation file deleted": "deep",
}
ALWAYS = dict.fromkeys(HARMLESS | WHOLE, "none") | WARNED | OF_THE_MANIFEST
# Everything recomputed, as a wrong builder would write it: only the annotations contradict it, and nothing an image.
RECOMPUTED = (
    ALWAYS
    | dict.fromkeys(OF_ANNOTATIONS, "deep")
    | dict.fromkeys(set(OF_PIXELS) - {"another COCO's images"}, "none")
    | dict.fromkeys(
        {
            "the same in every split",
            "the same in every split that has the id",
            "a training image that shows what is held out",
            "a training image left out",
            "all but one training image left out",
            "a normal test image left out of all splits",
            "an anomalous test image left out of all splits",
            "a normal sample made anomalous altogether",
            "a category left out",
            "a held-out category named that is not there",
            "an id that the annotations do not know",
            "a mask without an anomalous pixel",
            "a mask of anomalous pixels alone",
            "a mask inverted",
            "a mask moved by a pixel",
            "a mask mirrored",
            "a mask turned by 180 degrees",
            "one far pixel of a mask",
            "a mask's box in place of its outline",
            "two masks' files exchanged",
        },
        "deep",
    )
)

IN_OFFICIAL_LAYOUT = (  # which has no hashes, nor sizes: all that is "none" or "deep" when recomputed, and these
    RECOMPUTED
    | dict.fromkeys(
        {"a held-out image trained on under a normal id", "two samples' masks exchanged", "an image resized"},
        "deep",
    )
    | {
        "a mask without an anomalous pixel": "plain",
        "an unknown field": "none",  # which other programs may write
        "a split deleted altogether": "warning",
    }
)
SAMPLE_EVERY = 6  # of the kinds, those that the quick tests look at


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A COCO (``coco``) and its dataset (``ad``), with hashes of images and without (then in both layouts)."""
    places = {name: tmp_path_factory.mktemp(name) for name in ("hashed", "plain")}
    for name, place in places.items():
        draw_sample(place / "coco", train=60, val=60, size=32)
        build_dataset(place / "coco", place / "ad", hash_images=name == "hashed")
    export_official(places["plain"] / "ad", places["plain"] / "coco")
    return places


def assert_levels(kind: type[Mutant], names: list[str], source: Path, place: Path, recompute: bool) -> None:
    """Falsify a copy of the dataset in each way, and compare how it was found with what is known of that way."""
    expected = dict.fromkeys(MUTATIONS, "plain") | (RECOMPUTED if recompute else ALWAYS)
    if kind is OfficialMutant:
        expected |= IN_OFFICIAL_LAYOUT
    found = {}
    for number, name in enumerate(names):
        mutant = kind(source, place / str(number))
        (OF_THE_OFFICIAL_LAYOUT if kind is OfficialMutant else MUTATIONS)[name](mutant)
        mutant.write(recompute)
        found[name] = mutant.level()
    print(f"{kind.__name__}, recomputed={recompute}: {len(found)} kinds: {dict(Counter(found.values()))}")
    assert found == {name: expected[name] for name in names}


def test_a_sample_of_corruptions_is_found_as_known(sources: dict[str, Path], tmp_path: Path) -> None:
    names = list(MUTATIONS)[::SAMPLE_EVERY]
    assert_levels(Mutant, names, sources["hashed"], tmp_path, recompute=True)


@pytest.mark.slow
@pytest.mark.parametrize("recompute", [False, True])
def test_every_corruption_of_a_built_dataset_is_found_as_known(
    sources: dict[str, Path], tmp_path: Path, recompute: bool
) -> None:
    assert len(MUTATIONS) >= 100
    assert_levels(Mutant, list(MUTATIONS), sources["hashed"], tmp_path, recompute)


@pytest.mark.slow
def test_every_corruption_of_the_official_layout_is_found_as_known(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    assert len(OF_THE_OFFICIAL_LAYOUT) >= 60
    assert_levels(OfficialMutant, list(OF_THE_OFFICIAL_LAYOUT), sources["plain"], tmp_path, recompute=True)


def test_without_hashes_of_images_their_pixels_may_change_unseen(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    mutant = Mutant(sources["plain"], tmp_path / "m")
    OF_PIXELS["an image replaced by noise"](mutant)
    mutant.write(recompute=False)
    assert mutant.level() == "none"


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_found_on_a_sound_dataset_of_any_seed_and_options(seed: int, tmp_path: Path) -> None:
    draw_sample(tmp_path / "coco", train=24, val=32, size=48, seed=seed)
    options = BuildOptions(
        rasterizer=("ader", "coco")[seed % 2],
        unannotated=("exclude", "normal")[seed // 2 % 2],
        crowd=("include", "exclude")[seed // 4 % 2],
    )
    own = tmp_path / "own.yaml"
    held_out = [category.name for category in categories()[::4]]
    own.write_text(json.dumps({"name": "fourths", "splits": [{"name": "first", "held_out": held_out}]}))
    build_dataset(
        tmp_path / "coco",
        tmp_path / "ad",
        options=options,
        hash_images=seed % 3 == 0,
        partition=own if seed % 5 == 4 else None,
    )
    assert list(verify(tmp_path / "ad", deep=True)) == []
    if options == BuildOptions() and seed % 5 != 4:
        export_official(tmp_path / "ad", tmp_path / "coco")
        assert list(verify(tmp_path / "coco", deep=True)) == []
