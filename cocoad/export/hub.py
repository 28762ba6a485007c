"""What dataset hubs take: Parquet tables with a dataset card, and the same tables described in Croissant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cocoad import __version__
from cocoad.base.errors import InputError
from cocoad.base.files import json_bytes
from cocoad.base.images import without_size_warnings
from cocoad.base.staging import staged_directory
from cocoad.dataset.manifest import DatasetManifest, read_dataset
from cocoad.export.tables import COLUMNS, Table, write_tables

CROISSANT_FILE, CARD_FILE = "croissant.json", "README.md"
PAPER = "https://arxiv.org/abs/2404.10760"
LICENSE = "https://creativecommons.org/licenses/by/4.0/"
COCO_AD = (
    "COCO-AD, a benchmark of general-purpose anomaly detection (Zhang et al., 2024), made from the annotations of "
    "COCO 2017: in each of four splits, twenty of the eighty categories are held out as anomalies."
)
OWN = "A benchmark of anomaly detection made in the way of COCO-AD (Zhang et al., 2024), with a partition of its own."
CONTENT = "Tables of paths, labels, categories and masks; the images are COCO's and are not included."
CITATION = (
    "@article{zhang2024cocoad, title={Learning Feature Inversion for Multi-class Anomaly Detection under "
    "General-purpose COCO-AD Benchmark}, author={Zhang, Jiangning and others}, journal={arXiv preprint "
    "arXiv:2404.10760}, year={2024}}"
)
RESPONSIBLE_AI = {
    "dataLimitations": "An object is anomalous because its category was held out, not because anything is wrong with "
    "it. Objects that COCO did not annotate count as normal. Not evidence for industrial or medical inspection.",
    "dataBiases": "Inherits COCO's: photographs from Flickr, everyday scenes, mostly of North America and Europe. "
    "People are in about half of the images, so that split 0 has the most anomalous and the fewest training images.",
    "personalSensitiveInformation": "The tables hold none. The images that they point to show people, some of them "
    "recognisably; they are COCO's and not included.",
    "dataUseCases": "Comparing methods of multi-class anomaly detection and localisation. Not for identifying or "
    "judging people, though people are among the held-out categories.",
    "dataSocialImpact": "A common yardstick for methods that find the unexpected in images; such methods also serve "
    "surveillance.",
    "hasSyntheticData": False,
}


def export_hub(dataset: Path, out: Path) -> list[Path]:
    """Write Parquet tables, a dataset card that names them, and their Croissant description; return the last two.

    Raises:
        InputError: ``out`` is there already, pyarrow is not installed, or a mask is not as it was built.
    """
    return _export(dataset, out, card=True)


def export_croissant(dataset: Path, out: Path) -> list[Path]:
    """Write Parquet tables and their description in Croissant 1.1, with responsible-AI fields.

    Raises:
        InputError: ``out`` is there already, pyarrow is not installed, or a mask is not as it was built.
    """
    return _export(dataset, out, card=False)


@without_size_warnings()
def _export(dataset: Path, out: Path, card: bool) -> list[Path]:
    if out.exists():
        raise InputError(f"{out} is there already: give another --out, or delete it")
    manifest = read_dataset(dataset)
    names = [CARD_FILE, CROISSANT_FILE] if card else [CROISSANT_FILE]
    with staged_directory(out) as staging:
        tables = write_tables(dataset, staging)
        (staging / CROISSANT_FILE).write_bytes(json_bytes(croissant(manifest, tables)))
        if card:
            (staging / CARD_FILE).write_text(dataset_card(manifest, tables), encoding="utf-8")
    return [out / name for name in names]


def croissant(manifest: DatasetManifest, tables: list[Table]) -> dict[str, Any]:
    """Return the tables' description in Croissant 1.1 as JSON-LD."""
    terms = ("citeAs", "column", "extract", "field", "fileObject", "recordSet", "repeated", "source")
    return {
        "@context": {
            "@language": "en",
            "@vocab": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/",
            "dct": "http://purl.org/dc/terms/",
            "rai": "http://mlcommons.org/croissant/RAI/",
            "sc": "https://schema.org/",
            "conformsTo": "dct:conformsTo",
            "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
            **{term: f"cr:{term}" for term in terms},
        },
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": _title(manifest),
        "description": _description(manifest),
        "version": __version__,
        "datePublished": "2024-04-16",
        "license": LICENSE,
        "url": PAPER,
        "citeAs": CITATION,
        "creator": {"@type": "sc:Person", "name": "Jiangning Zhang and others"},
        **{f"rai:{name}": value for name, value in RESPONSIBLE_AI.items()},
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": _name(table),
                "name": _name(table),
                "contentUrl": table.path,
                "contentSize": f"{table.bytes} B",
                "encodingFormat": "application/x-parquet",
                "sha256": table.sha256,
            }
            for table in tables
        ],
        "recordSet": [_record_set(table) for table in tables],
    }


def _record_set(table: Table) -> dict[str, Any]:
    kinds = {"image": "sc:Text", "categories": "sc:Text", "mask": "sc:ImageObject"}
    records = f"records_{_name(table)}"
    fields = []
    for column, description in COLUMNS.items():
        field: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": f"{records}/{column}",
            "name": column,
            "description": description,
            "dataType": kinds.get(column, "sc:Integer"),
            "source": {"fileObject": {"@id": _name(table)}, "extract": {"column": column}},
        }
        fields.append(field | ({"repeated": True} if column == "categories" else {}))
    what = "Normal images to train on" if table.part == "train" else "Normal and anomalous images to test on"
    return {
        "@type": "cr:RecordSet",
        "@id": records,
        "name": records,
        "description": f"{what} in split {table.split}: {table.rows:,}.",
        "field": fields,
    }


def _name(table: Table) -> str:
    return f"split_{table.split}_{table.part}"


def _title(manifest: DatasetManifest) -> str:
    return "COCO-AD" if manifest.partition is None else manifest.partition.name


def _description(manifest: DatasetManifest) -> str:
    parts = [COCO_AD if manifest.partition is None else OWN, CONTENT]
    if changed := manifest.unofficial:
        said = ", ".join(f"{name}={value}" for name, value in changed.items())
        parts.append(f"Not the published benchmark: built with {said}.")
    return " ".join(parts)


def dataset_card(manifest: DatasetManifest, tables: list[Table]) -> str:
    """Return the card: YAML that loaders read, then the page that people read."""
    numbers = sorted({table.split for table in tables})
    kinds = {"image": "string", "mask": "image", "id": "int64", "label": "int8"}
    lines = ["---", "license: cc-by-4.0", f"pretty_name: {_title(manifest)}", "language: [en]"]
    lines += [
        "task_categories: [image-segmentation, image-classification]",
        "tags: [anomaly-detection, coco]",
    ]
    lines.append("configs:")
    for number in numbers:
        lines += [f"- config_name: split_{number}", "  data_files:"]
        for table in (each for each in tables if each.split == number):
            lines += [f"  - split: {table.part}", f"    path: {table.path}"]
    lines.append("dataset_info:")
    for number in numbers:
        lines += [f"- config_name: split_{number}", "  features:"]
        for column in COLUMNS:
            kind = "sequence: string" if column == "categories" else f"dtype: {kinds.get(column, 'int32')}"
            lines += [f"  - name: {column}", f"    {kind}"]
    lines += ["---", f"# {_title(manifest)}", _description(manifest), ""]
    lines += ["| split | train | test, normal | test, anomalous |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {key} | {one.train_normal:,} | {one.test_normal:,} | {one.test_anomalous:,} |"
        for key, one in sorted(manifest.splits.items())
    ]
    lines += ["", "| column | meaning |", "| --- | --- |"]
    lines += [f"| `{column}` | {meaning} |" for column, meaning in COLUMNS.items()]
    lines += [
        "",
        "A mask is of mode `1`: `numpy.asarray(mask)` is boolean. Masks and labels come of COCO's annotations",
    ]
    lines += [
        "(CC BY 4.0); the images are under their owners' terms. Metrics and methods: the package `cocoad`.",
        "",
    ]
    lines += ["## Use and limits"]
    words = {"dataUseCases": "Use", "dataLimitations": "Limits", "dataBiases": "Biases",
             "personalSensitiveInformation": "People", "dataSocialImpact": "Impact"}  # fmt: skip
    lines += [f"- **{word}.** {RESPONSIBLE_AI[name]}" for name, word in words.items()]
    lines += ["", "## Citation", "```bibtex", CITATION, "```", ""]
    return "\n".join(lines)
