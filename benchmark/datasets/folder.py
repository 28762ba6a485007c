"""Folders of images, by the names that people give them.

``[CLASS/]{train/good, test/DEFECT, ground_truth/DEFECT}`` is MVTec AD's layout, and with other names BTAD's, MPDD's,
MVTec LOCO AD's and MVTec AD 2's; ``[CLASS/]{good, DEFECT …}`` are photos that nobody has split, of which some normal
ones are drawn to test on. Uni-Medical has MVTec AD's folders and pairs images and masks by their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.checks import checked
from benchmark.datasets.drawing import TEST_SHARE, drawn
from benchmark.datasets.pairing import LOOKED_FOR, Paired, is_mask_beside, paired
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.datasets.tree import Tree, scan
from cocoad.base.errors import InputError

GOOD = frozenset({"good", "ok", "normal", "pass", "healthy", "defect_free", "no_defect", "non_defective"})
TRAIN = frozenset({"train", "training"})
TEST = frozenset({"test", "testing", "test_public"})
TRUTH = frozenset({"ground_truth", "groundtruth", "gt", "mask", "masks", "label", "labels"})
# parts that downloads have and that are neither trained nor tested on: without labels, or to set a threshold by
ASIDE = frozenset({"validation", "val", "valid", "test_private", "test_private_mixed"})
UNI_MEDICAL = {"brain", "liver", "retinal"}
SHOWN = 8


class _Class(NamedTuple):
    """A class's images: to train on, to draw a test set from (then it has no test set of its own), to test on."""

    folder: Path
    train: list[Path]
    is_split: bool
    good: list[Path]
    bad: dict[Path, list[Path]]  # by the folder of the defect
    truths: list[Path]


def is_folder(path: Path) -> bool:
    """Say whether ``path`` holds such images with a test set."""
    return any(one.is_split for one in _classes(scan(path)))


def is_photos(path: Path) -> bool:
    """Say whether ``path`` holds such images without one."""
    return bool(_classes(scan(path)))


def is_uni_medical(path: Path) -> bool:
    """Say whether ``path`` is such a folder with no classes but Uni-Medical's, whose masks have names of their own."""
    tree = scan(path.resolve())
    found = _classes(tree)
    if not found or not {one.folder.name for one in found} <= UNI_MEDICAL:
        return False
    pairs = (paired(images, _masks(tree, one, defect)) for one in found for defect, images in one.bad.items())
    return any(pair.left and not any(pair.masks) for pair in pairs)


def read_folder(path: Path, test_share: float | None = None) -> AnomalyDataset:
    """Read all classes of a folder of images; ``test_share`` of the normal ones are drawn where it has no test set.

    Raises:
        InputError: folders that hold images and are no class beside others that are, masks that belong to no image
            where images lack one, or what :func:`~benchmark.datasets.checks.checked` refuses.
    """
    return _read(path.resolve(), "folder", test_share)


def read_photos(path: Path, test_share: float | None = None) -> AnomalyDataset:
    """Do as :func:`read_folder` with images that nobody has split."""
    return _read(path.resolve(), "photos", test_share)


def read_uni_medical(path: Path, test_share: float | None = None) -> AnomalyDataset:
    """Read Uni-Medical: the n-th mask of a defect belongs to its n-th image where no names match.

    Raises:
        InputError: as many masks as images are not there, or as :func:`read_folder`.
    """
    return _read(path.resolve(), "uni-medical", test_share)


def what_lies_in(path: Path) -> str:
    """Return what was looked for in a folder of no known layout, and what lies there."""
    tree = scan(path)
    inner = [f"{folder.name}/ ({len(tree.below(folder)):,} images)" for folder in tree.folders.get(path, [])]
    files = [
        file.name for file in [*tree.images.get(path, []), *(f for f in tree.others if f.parent == path)]
    ]
    names = [*inner, *files]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return (
        "looked for [CLASS/]train/good and test, or for a folder of normal images, good, ok or normal; there is "
        f"{', '.join(names[:SHOWN]) or 'nothing'}{more}"
    )


def _read(path: Path, layout: str, test_share: float | None) -> AnomalyDataset:
    tree = scan(path)
    classes = _classes(tree)
    share = TEST_SHARE if test_share is None else test_share
    train: list[Sample] = []
    test: list[Sample] = []
    problems = [*tree.problems, *_half_unpacked(tree, classes)]
    notes: list[str] = []
    for one in classes:
        name = one.folder.name
        normal = [Sample(_ident(path, image), image, name) for image in one.train]
        if not normal:
            problems.append(f"class {name}: no images in train/good")
        held = drawn([sample.id for sample in normal], share) if not one.is_split else set()
        if not one.is_split and len(normal) == len(held):
            problems.append(
                f"class {name}: {len(normal)} normal images: too few to train on some and test on others"
            )
        train += [sample for sample in normal if sample.id not in held]
        test += [sample for sample in normal if sample.id in held]
        test += [Sample(_ident(path, image), image, name) for image in one.good]
        pairs = {defect: paired(images, _masks(tree, one, defect)) for defect, images in one.bad.items()}
        # defects may share a folder of masks
        taken = {mask for pair in pairs.values() for mask in pair.masks}
        for defect, images in one.bad.items():
            pair = Paired(pairs[defect].masks, [mask for mask in pairs[defect].left if mask not in taken])
            where = tree.name(defect)
            if layout == "uni-medical" and pair.left and not any(pair.masks):
                try:
                    pair = Paired(_by_order(where, images, pair.left), [])
                    notes.append(
                        f"{where}: no names match: the n-th mask is taken for that of the n-th image"
                    )
                except InputError as error:
                    problems.append(str(error))
            elif pair.left and None in pair.masks:
                problems.append(_strays(where, images, pair))
            group = (f"defect:{defect.name}",)
            test += [
                Sample(_ident(path, image), image, name, 1, mask, group)
                for image, mask in zip(images, pair.masks, strict=True)
            ]
    share_drawn = None if all(one.is_split for one in classes) else share
    if share_drawn is not None:
        held_out = sum(sample.label == 0 for sample in test)
        notes.append(
            f"no test set is given: {held_out:,} of the normal images were drawn to test on (--test-share)"
        )
    notes += tree.notes(_claimed(train, test))
    return checked(path, layout, train, test, problems=problems, notes=notes, drawn=share_drawn)


def _classes(tree: Tree) -> list[_Class]:
    """Return the classes of a dataset: the root, or its folders, or those of its only folder, and so on."""
    folder = tree.root
    while True:
        if one := _class(tree, folder):
            return [one]
        inner = tree.folders.get(folder, [])
        found = [one for one in (_class(tree, each) for each in inner) if one]
        if found or len(inner) != 1:
            return found
        folder = inner[0]


def _class(tree: Tree, folder: Path) -> _Class | None:
    """Return the class that a folder is, if it is one."""
    parts = tree.folders.get(folder, [])
    trains, tests, truths = (_named(parts, names) for names in (TRAIN, TEST, TRUTH))
    truths += _named([inner for test in tests for inner in tree.folders.get(test, [])], TRUTH)
    if tests and trains:
        train = [image for part in trains for image in _good(tree, part)]
        inner = [each for test in tests for each in tree.folders.get(test, []) if each not in truths]
        good = _images(tree, _named(inner, GOOD))
        bad = {each: _images(tree, [each]) for each in inner if _fold(each) not in GOOD}
        return _Class(folder, train, True, good, bad, truths)
    if tests:
        return None
    bases = trains or [folder]
    goods = [image for base in bases for image in _good(tree, base, direct=bool(trains))]
    if not goods:
        return None
    inner = [each for base in bases for each in tree.folders.get(base, []) if each not in truths]
    bad = {each: _images(tree, [each]) for each in inner if _fold(each) not in GOOD | ASIDE}
    return _Class(folder, goods, False, [], {each: images for each, images in bad.items() if images}, truths)


def _good(tree: Tree, part: Path, direct: bool = True) -> list[Path]:
    """Return the normal images of a part: those in its folders of such a name, or right in it if it has no folders."""
    inner = tree.folders.get(part, [])
    return list(tree.images.get(part, [])) if direct and not inner else _images(tree, _named(inner, GOOD))


def _images(tree: Tree, folders: Iterable[Path]) -> list[Path]:
    """Return the images below folders, without the masks among them."""
    found = []
    for folder in folders:
        truths = [each for each in _folders_below(tree, folder) if _fold(each) in TRUTH]
        for images in _by_parent(tree.below(folder, truths)).values():
            stems = {image.stem for image in images}
            found += [image for image in images if not is_mask_beside(image, stems)]
    return found


def _masks(tree: Tree, one: _Class, defect: Path) -> list[Path]:
    """Return the masks of a defect: files, or folders of several for one image.

    They lie in the folder of its name below one of masks, right in that where it has no folders, in a folder of
    masks below the defect's own, or beside the images.
    """
    found: list[Path] = []
    for truth in one.truths:
        inner = tree.folders.get(truth, [])
        own = [each for each in inner if _fold(each) == _fold(defect)]
        found += tree.images.get(truth, []) if not inner else []
        for each in own:
            stems = {image.stem for image in one.bad[defect]}
            several = [folder for folder in tree.folders.get(each, []) if folder.name in stems]
            found += [*several, *tree.below(each, several)]
    for each in _folders_below(tree, defect):
        if _fold(each) in TRUTH:
            found += tree.below(each)
    for images in _by_parent(tree.below(defect)).values():
        stems = {image.stem for image in images}
        found += [image for image in images if is_mask_beside(image, stems)]
    return list(dict.fromkeys(found))


def _by_order(where: str, images: Sequence[Path], masks: Sequence[Path]) -> list[Path | None]:
    """Return the n-th mask for the n-th image.

    Raises:
        InputError: there are more of one than of the other.
    """
    if len(masks) != len(images):
        raise InputError(f"{where}: {len(masks):,} masks for {len(images):,} images, and no names match")
    return [*sorted(masks)]


def _strays(where: str, images: Sequence[Path], pair: Paired) -> str:
    without = [image.name for image, mask in zip(images, pair.masks, strict=True) if mask is None]
    return (
        f"{where}: {len(without):,} images have no mask ({without[0]} first) and {len(pair.left):,} masks no image "
        f"({pair.left[0].name} first): looked for {LOOKED_FOR}"
    )


def _half_unpacked(tree: Tree, classes: Sequence[_Class]) -> Iterable[str]:
    """Say which folders beside the classes hold images and are none, and which have no test set as others do."""
    for one in classes:
        if not one.is_split and any(other.is_split for other in classes):
            yield f"class {one.folder.name}: no test set, which other classes have: is it unpacked to its end?"
    parents = {one.folder.parent for one in classes if one.folder != tree.root}
    for parent in parents:
        for each in tree.folders.get(parent, []):
            if each not in {one.folder for one in classes} and (images := tree.below(each)):
                parts = ", ".join(folder.name for folder in tree.folders.get(each, [])) or "no folders"
                yield (
                    f"{tree.name(each)}: {len(images):,} images, but no class: looked for train/good and test, there "
                    f"is {parts}"
                )


def _claimed(train: Sequence[Sample], test: Sequence[Sample]) -> set[Path]:
    masks = [sample.mask for sample in test if sample.mask is not None]
    inner = [file for mask in masks if mask.is_dir() for file in mask.iterdir()]
    return {*(sample.image for sample in (*train, *test)), *masks, *inner}


def _named(folders: Iterable[Path], names: frozenset[str]) -> list[Path]:
    return [folder for folder in folders if _fold(folder) in names]


def _fold(folder: Path) -> str:
    return folder.name.lower().replace("-", "_").replace(" ", "_")


def _folders_below(tree: Tree, folder: Path) -> list[Path]:
    inner = tree.folders.get(folder, [])
    return [*inner, *(deeper for each in inner for deeper in _folders_below(tree, each))]


def _by_parent(images: Iterable[Path]) -> dict[Path, list[Path]]:
    found: dict[Path, list[Path]] = {}
    for image in images:
        found.setdefault(image.parent, []).append(image)
    return found


def _ident(root: Path, image: Path) -> str:
    return image.relative_to(root).with_suffix("").as_posix()
