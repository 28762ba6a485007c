"""Every reader of bytes that strangers made, with sound examples to begin from; `tests.fuzz.damage` spoils them.

A reader returns, or raises a `CocoadError` (or the scoring's own `MapError`) of one line; anything else is a fault.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from benchmark.config import from_plain, read_yaml
from benchmark.datasets.images import largest_deep_value, load_pixels
from benchmark.datasets.masks import read_mask
from benchmark.datasets.official import read_official
from benchmark.datasets.samples import Sample
from benchmark.leaderboard.published.source import read_source
from benchmark.runs.evaluations import read_evaluations
from benchmark.runs.outputs import read_curves, read_previews, read_scores
from benchmark.runs.record import read_record, read_status
from benchmark.scoring.mapfiles import read_map
from benchmark.scoring.scorefile import read_scores_of
from benchmark.submissions.format import read_submission
from benchmark.submissions.truth import read_truths
from benchmark.sweep.request import read_plan
from cocoad.base.files import sha256_file
from cocoad.check.images import look
from cocoad.coco.annotations import read_annotations
from cocoad.coco.outlines import parse_segmentation, rasterize
from cocoad.coco.own import read_plan as read_partition
from cocoad.coco.partition import categories, partition
from cocoad.dataset.images import find_images
from cocoad.dataset.manifest import read_split
from cocoad.dataset.masks import encode_mask_png, read_mask_gray
from cocoad.verify import verify

RECORD = Path(__file__).parents[1] / "benchmark" / "record.json"


@dataclass(frozen=True)
class Reader:
    """What reads a file: its name in a folder of its own, sound contents, and the call."""

    file: str
    examples: list[bytes]
    read: Callable[[Path], Any]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _image(form: str, array: np.ndarray[Any, Any], **save: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, form, **save)
    return stream.getvalue()


def _saved(save: Callable[..., Any], *values: Any, **named: Any) -> bytes:
    stream = io.BytesIO()
    save(stream, *values, **named)
    return stream.getvalue()


_RING = [[2.0, 2.0, 8.0, 2.0, 8.0, 8.0]]
_RLE = {"size": [10, 12], "counts": [10, 20, 90]}
_IMAGES = [{"id": n, "file_name": f"{n:012d}.jpg", "width": 12, "height": 10} for n in (1, 2)]
_INSTANCES = {
    "images": _IMAGES,
    "annotations": [
        {"id": n, "image_id": n, "category_id": 1, "iscrowd": n - 1, "area": 9.0, "segmentation": shape}
        for n, shape in ((1, _RING), (2, _RLE))
    ],
    "categories": [{"id": c.id, "name": c.name} for c in categories()],
}
_ENTRY = {"img_path": "val2017/000000000001.jpg", "cls_name": "coco", "specie_name": ""}
_META = {
    "train": {"coco": [{**_ENTRY, "img_path": "train2017/2.jpg", "mask_path": "", "anomaly": 0}]},
    "test": {"coco": [{**_ENTRY, "mask_path": "val2017_mask_ad_20_0/000000000001.png", "anomaly": 1}]},
}
_SPLIT = {
    "format": "cocoad-split",
    "format_version": 1,
    "split": 0,
    "held_out": [{"id": c.id, "name": c.name} for c in partition(0).held_out],
    "train": [{"id": 2, "image": "train2017/2.jpg", "width": 12, "height": 10}],
    "test": [{"id": 1, "image": "val2017/1.jpg", "width": 12, "height": 10, "label": 0}],
}
_DATASET = {
    "format": "cocoad-dataset",
    "format_version": 1,
    "tool_version": "1",
    "options": {
        "rasterizer": "ader",
        "unannotated": "exclude",
        "crowd": "include",
        "allow_missing_images": False,
    },
    "inputs": {part: {"name": f"{part}.json", "bytes": 1, "sha256": 64 * "0"} for part in ("train", "val")},
    "splits": {
        "0": {
            "train_normal": 1,
            "test_normal": 1,
            "test_anomalous": 0,
            "equals_official": False,
            "sha256": 64 * "0",
        }
    },
    "notes": [],
}
_GRAY = np.arange(120, dtype=np.uint8).reshape(10, 12)
_MAP = _GRAY.astype(np.float32)
_PLAN = b"methods: [rd, {method: padim, epochs: 3}]\nsplits: all\nseeds: [0, 1]\ndefaults: {batch_size: 4}\n"
_SOURCE = b"""title: t
cite: c
where: w
protocol: ader
setting: multi-class
tables: []
"""


def _annotations(path: Path) -> None:
    for own in (False, True):
        found = read_annotations(path, segmentations=True, own_categories=own)
        for index in range(len(found.annotation_rows)):
            row = found.annotation_rows[index]
            rasterize(
                [found.outline(index, Counter())], int(found.heights[row]), int(found.widths[row]), "ader"
            )


def _outline(path: Path) -> None:
    for kind in ("ader", "coco"):
        rasterize([parse_segmentation(msgspec.Raw(path.read_bytes()), 10, 12)], 10, 12, kind)


def _dataset(path: Path) -> None:
    (path.parent / "split_0.json").write_bytes(_json(_SPLIT))
    verify(path.parent)
    read_split(path.parent, 0)


def _split(path: Path) -> None:
    manifest = json.loads(_json(_DATASET))
    manifest["splits"]["0"]["sha256"] = sha256_file(path)
    (path.parent / "dataset.json").write_bytes(_json(manifest))
    verify(path.parent)
    read_split(path.parent, 0)


def _official(path: Path) -> None:
    verify(path.parent)
    read_official(path.parent, 0, None)


def _hint(path: Path) -> None:
    (path.parent / "dataset.json").write_bytes(_json(_DATASET))
    images = find_images(path.parent, ["train2017/1.jpg", "val2017/2.jpg"])
    images.path("train2017/1.jpg").is_file()


def _any_image(path: Path) -> None:
    look(path, (12, 10), decode=True)
    largest_deep_value(path)
    load_pixels(path, 8)


def _mask(path: Path) -> None:
    read_mask_gray(path, (12, 10))
    read_mask(path)


def _tensors(path: Path) -> None:
    from benchmark.layers.weights import read_tensors

    read_tensors(path)


def _checkpoint(path: Path) -> None:
    from benchmark.training.checkpoint import read_checkpoint

    folder = path.parent / "checkpoints"
    folder.mkdir(exist_ok=True)
    path.rename(folder / "step-000000001.safetensors")
    read_checkpoint(path.parent, lambda said: None)


def _cached(path: Path) -> None:
    from benchmark.datasets.cache import PixelCache

    cache = PixelCache(path.parent, path.parent, CACHED_SIZE)
    cache.directory.mkdir()
    image = path.parent / "a.png"
    image.write_bytes(_image("PNG", _COLOURS))
    for name, rows in (("pixels.u8", bytes(2 * cache.row_bytes)), ("index.tsv", _INDEX)):
        (cache.directory / name).write_bytes(path.read_bytes() if name == path.name else rows)
    sample = Sample("a", image, "coco")
    cache.damaged([sample])
    cache.fill([sample], 0)
    assert not cache.damaged([sample])


def _onnx_metadata(path: Path) -> None:
    """Put a JSON object's texts into a sound file, as a stranger could."""
    from onnx import ModelProto, load, save

    from benchmark.inference.exported import load_onnx

    try:
        given = json.loads(path.read_bytes())
        texts = {name: str(value).encode().decode() for name, value in given.items()}
    except (ValueError, AttributeError, RecursionError):
        return
    model: ModelProto = load(io.BytesIO(_onnx()))
    for name, text in texts.items():
        model.metadata_props.add(key=name.encode(errors="replace").decode(), value=text)
    save(model, path.with_suffix(".onnx"))
    load_onnx(path.with_suffix(".onnx"))


def _onnx() -> bytes:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("images", "maps")]
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["maps"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


_METADATA = {
    "cocoad_metadata": "1",
    "method": "rd",
    "image_size": "32",
    "score_size": "32",
    "gray_bits": "",
    "thresholds": "[]",
    "held_out_scores": "[0.25, 0.5]",
}
CACHED_SIZE = 8
_INDEX = b"00000000\t0123456789abcdef0123456789abcdef\ta.png\n5f\t1.2\tb/c.png\n"


def _weights(kind: str) -> list[bytes]:
    import torch
    from safetensors.torch import save

    tensors = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    if kind == "safetensors":
        return [save(tensors, {"meta": json.dumps({"epoch": 1}), "sha256": 64 * "0"})]
    return [_saved(lambda stream: torch.save({"state_dict": tensors}, stream))]


def _maps(form: str) -> list[bytes]:
    if form == "npy":
        return [_saved(np.save, _MAP), _saved(np.save, np.asfortranarray(_GRAY))]
    if form == "npz":
        return [_saved(np.savez_compressed, map=_MAP), _saved(np.savez, _GRAY)]
    deep = _GRAY.astype(np.uint16) * 200
    return [_image(form, _GRAY), _image(form, deep), *([_image(form, _MAP)] if form == "TIFF" else [])]


def _previews() -> list[bytes]:
    maps, masks = np.zeros((2, 64, 64), np.float16), np.zeros((2, 64, 8), np.uint8)
    return [_saved(np.savez_compressed, maps=maps, masks=masks, offset=np.float64(0), scale=np.float64(1))]


_COLOURS = np.dstack([_GRAY] * 3)
_PICTURES = [
    *(_image(form, _COLOURS) for form in ("JPEG", "PNG", "BMP", "TIFF", "WEBP")),
    _image("TIFF", _GRAY.astype(np.uint16), compression="tiff_lzw"),
    _image("PNG", _GRAY.astype(np.uint16)),
]
_CSV = b"id,image,class,label,score,groups\na,a.jpg,coco,1,0.5,size:small\nb,b.jpg,coco,0,0.25,\n"

READERS: dict[str, Reader] = {
    "instances": Reader("val.json", [_json(_INSTANCES)], _annotations),
    "outline": Reader(
        "outline.json", [_json(_RING), _json(_RLE), b'{"size": [10, 12], "counts": "aX2:5N1O1"}'], _outline
    ),
    "dataset.json": Reader("dataset.json", [_json(_DATASET)], _dataset),
    "split_0.json": Reader("split_0.json", [_json(_SPLIT)], _split),
    "official layout": Reader("meta_20_0.json", [_json(_META)], _official),
    "coco-root.txt": Reader("coco-root.txt", [b"/tmp\n", b"/tmp\ntrain2017: /tmp/x\n"], _hint),
    "partition": Reader(
        "own.yaml", [b"name: mine\nsplits: [{name: first, held_out: [dog]}]\n"], read_partition
    ),
    "image": Reader("image.jpg", _PICTURES, _any_image),
    "mask": Reader("mask.png", [encode_mask_png(_GRAY > 60), _image("PNG", _COLOURS)], _mask),
    "record": Reader("result.json", [RECORD.read_bytes()], lambda path: read_record(path.parent)),
    "status": Reader(
        "status.json",
        [b'{"state": "running", "pid": 1, "epoch": 1, "epochs": 2}'],
        lambda p: read_status(p.parent),
    ),
    "scores.csv": Reader("scores.csv", [_CSV], lambda path: read_scores(path.parent)),
    "scores of one's own": Reader("mine.csv", [_CSV], lambda path: read_scores_of(path, ["a", "b"])),
    "curves": Reader(
        "curves.json", [b'{"roc": {"a": [[0, 1], [0, 1]]}}'], lambda path: read_curves(path.parent)
    ),
    "previews": Reader("previews.npz", _previews(), lambda path: read_previews(path.parent)),
    "evaluations": Reader(
        "evaluations.jsonl",
        [b'{"step": 1, "epoch": 1, "metrics": {"ader": {}}, "per_class": {}}\n'],
        lambda path: read_evaluations(path.parent),
    ),
    "plan": Reader("plan.yaml", [_PLAN], read_plan),
    "configuration": Reader(
        "config.yaml",
        [b"method: rd\ndataset: /tmp\nrecipe: {epochs: 3}\n"],
        lambda path: from_plain(_mapping(read_yaml(path)), str(path)),
    ),
    "published source": Reader("source.yaml", [_SOURCE], read_source),
    "map.npy": Reader("map.npy", _maps("npy"), read_map),
    "map.npz": Reader("map.npz", _maps("npz"), read_map),
    "map.tiff": Reader("map.tiff", _maps("TIFF"), read_map),
    "map.png": Reader("map.png", _maps("PNG"), read_map),
    "weights.safetensors": Reader("weights.safetensors", _weights("safetensors"), _tensors),
    "weights.pt": Reader("weights.pt", _weights("pt"), _tensors),
    "checkpoint": Reader("weights.safetensors", _weights("safetensors"), _checkpoint),
    "cached pixels": Reader("pixels.u8", [bytes(192), bytes(384)], _cached),
    "index of cached pixels": Reader("index.tsv", [_INDEX], _cached),
    "ONNX metadata": Reader("metadata.json", [_json(_METADATA)], _onnx_metadata),
    "submission": Reader(
        "submission.json", [b'{"format": "cocoad-submission"}'], lambda p: read_submission(p.parent)
    ),
    "ground truth": Reader(
        "split_0.truth.npz",
        [
            _saved(
                np.savez_compressed,
                header=np.frombuffer(b"{}", np.uint8),
                masks=np.zeros((1, 8, 1), np.uint8),
            )
        ],
        read_truths,
    ),
}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
