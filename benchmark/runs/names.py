"""What a leaderboard can show: metrics in the order of the tables, and costs with their units."""

from __future__ import annotations

from dataclasses import dataclass

from cocoad.base.errors import InputError


@dataclass(frozen=True)
class Column:
    """One column of a leaderboard: its heading, the factor from file to table, and which way is better."""

    label: str
    factor: float = 100.0
    digits: int = 1
    higher_is_better: bool = True


METRICS = {
    "image_auroc": Column("I-AUROC"),
    "image_ap": Column("I-AP"),
    "image_f1_max": Column("I-F1"),
    "pixel_auroc": Column("P-AUROC"),
    "pixel_ap": Column("P-AP"),
    "pixel_f1_max": Column("P-F1"),
    "pixel_iou_max": Column("P-IoU"),
    "aupro": Column("AUPRO"),
    "pixel_f1_.2_.8": Column("F1 .2-.8"),
    "pixel_acc_.2_.8": Column("Acc .2-.8"),
    "pixel_iou_.2_.8": Column("IoU .2-.8"),
    "mad_image": Column("mAD_I"),
    "mad_pixel": Column("mAD_P"),
    "mad_.2_.8": Column("mAD .2-.8"),
    "mad": Column("mAD"),
}

COSTS = {
    "train_seconds": Column("Train (min)", 1 / 60, 1, False),
    "test_seconds": Column("Test (s)", 1, 1, False),
    "train_images_per_s": Column("Train img/s", 1, 1),
    "test_images_per_s": Column("Test img/s", 1, 1),
    "peak_memory_bytes": Column("RAM (GiB)", 2.0**-30, 2, False),
    "peak_gpu_memory_bytes": Column("GPU RAM (GiB)", 2.0**-30, 2, False),
    "parameters": Column("Params (M)", 1e-6, 1, False),
    "gmacs": Column("GMACs", 1, 1, False),
}

COLUMNS = METRICS | COSTS

DEFAULT_METRICS = (
    "image_auroc", "image_ap", "image_f1_max", "aupro",
    "pixel_auroc", "pixel_ap", "pixel_f1_max", "pixel_iou_max", "mad",
)  # fmt: skip


def parse_columns(text: str | None) -> tuple[str, ...]:
    """Return the columns of a comma-separated list of names, ``metrics``, ``costs``, ``all`` (None: default).

    Raises:
        InputError: a name is unknown.
    """
    if text is None:
        return DEFAULT_METRICS
    groups = {"metrics": tuple(METRICS), "costs": tuple(COSTS), "all": tuple(COLUMNS)}
    chosen: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if name not in COLUMNS and name not in groups:
            known = ", ".join([*groups, *COLUMNS])
            raise InputError(f"--metrics: unknown name {name!r}; known: {known}")
        chosen += [column for column in groups.get(name, (name,)) if column not in chosen]
    return tuple(chosen)
