"""Images of which nobody knows what is anomalous in them; and masks that resizing has emptied."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.metrics import Evaluator

RNG = np.random.default_rng(0)
MASKS = np.zeros((8, 16, 16), bool)
for number in range(4):
    MASKS[number, 2:9, number : number + 5] = True
LABELS = np.arange(8) < 4
MAPS = (RNG.random(MASKS.shape) + 0.5 * MASKS).astype(np.float32)


def scored(
    maps: np.ndarray, masks: np.ndarray, labels: np.ndarray, truth: list[bool] | None = None
) -> Evaluator:
    evaluator = Evaluator()
    groups = [("defect:a",) if label else () for label in labels]
    evaluator.update(maps, masks, labels, groups=groups, has_truth=truth)
    return evaluator


def unmasked(*numbers: int) -> np.ndarray:
    masks = MASKS.copy()
    masks[list(numbers)] = False
    return masks


def test_pixel_metrics_are_those_of_the_images_with_a_mask() -> None:
    truth = [True, False, True, False, *[True] * 4]
    found = scored(MAPS, unmasked(1, 3), LABELS, truth).compute()
    kept = np.flatnonzero(truth)
    pixels = scored(MAPS[kept], MASKS[kept], LABELS[kept]).compute()
    images = scored(MAPS, MASKS, LABELS).compute()
    for protocol in ("ader", "exact"):
        for name, value in found.metrics[protocol].items():
            of = images if name.startswith(("image", "mad_image")) else pixels
            if name != "mad":
                assert value == of.metrics[protocol][name], name
    assert found.flags == ["partly-masked"]
    assert found.per_group["defect:a"]["ader"]["pixel_ap"] == found.metrics["ader"]["pixel_ap"]


def test_a_single_mask_known_is_part_of_them() -> None:
    some = scored(MAPS, unmasked(0, 1, 2), LABELS, [False] * 3 + [True] * 5).compute()
    assert some.flags == ["partly-masked"]


def test_without_any_mask_the_pixel_metrics_are_undefined_and_say_why() -> None:
    with pytest.warns(UserWarning, match="no anomalous image has a mask"):
        found = scored(MAPS, unmasked(0, 1, 2, 3), LABELS, [False] * 4 + [True] * 4).compute()
    whole = scored(MAPS, MASKS, LABELS).compute()
    assert found.metrics["ader"]["image_auroc"] == whole.metrics["ader"]["image_auroc"]
    assert np.isnan([found.metrics["ader"][name] for name in ("pixel_auroc", "aupro", "mad")]).all()
    assert found.undefined["ader/aupro"] == "no anomalous image has a mask"
    assert found.flags == []


@pytest.mark.parametrize(("empty", "flags"), [((), []), ((0,), ["vanished-masks"])])
def test_masks_that_are_empty_after_resizing_are_flagged(empty: tuple[int, ...], flags: list[str]) -> None:
    assert scored(MAPS, unmasked(*empty), LABELS).compute().flags == flags


def test_it_survives_a_restart() -> None:
    truth = [True, False, True, False, *[True] * 4]
    evaluator = scored(MAPS, unmasked(1, 3), LABELS, truth)
    assert Evaluator.from_state_dict(evaluator.state_dict()).compute() == evaluator.compute()


def test_an_item_has_the_largest_score_of_its_images_and_is_anomalous_if_one_of_them_is() -> None:
    evaluator = Evaluator()
    labels = np.array([0, 0, 0, 1, 0, 0, 1, 1], bool)
    scores = [0.1, 0.2, 0.3, 0.9, 0.95, 0.4, 0.2, 0.8]
    items = ["a", "a", "b", "b", "c", "c", "d", "d"]  # largest .2, .9, .95, .8; anomalous are b and d
    evaluator.update(MAPS, MASKS & labels[:, None, None], labels, scores, items=items)
    found = Evaluator.from_state_dict(evaluator.state_dict()).compute()
    assert found.per_item["image_auroc"] == 0.5  # b and d above a, below c
    assert found.recorded()["per_item"].keys() == {"image_auroc", "image_ap", "image_f1_max"}


def test_images_that_stand_for_themselves_have_no_items() -> None:
    assert scored(MAPS, MASKS, LABELS).compute().per_item == {}
