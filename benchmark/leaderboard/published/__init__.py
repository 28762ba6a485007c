"""Published results as rows beside one's own runs: one YAML file per source, see :mod:`.source`; and public logs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.leaderboard.published.source import Source, read_source, rows_of

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "template.yaml"

LOGS = {
    "mvtec_ad": "mvtec_ad.csv",
    "mvtec_ad-by-class": "mvtec_ad_by_class.csv",
    "coco-ad": "coco_ad.csv",
}  # the ADer benchmark's, by dataset

CAVEATS = {
    "means-only": "published as the mean of the four splits, without the splits",
    "50-bin": "pixel AUROC, AP and AUPRO from 50-bin histograms, so wrong by some tenths of a point",
    "swapped-ap-f1": "pixel AP and F1-max look swapped in the source; given as printed",
    "reordered": "the source prints AUPRO in a wrong column of most rows; put in order, means recomputed",
    "size-not-stated": "evaluation resolution not known; shown among the 256-pixel rows",
    "below-floor": "image F1-max below that of calling every image anomalous, which is impossible; given as printed",
}


@cache
def published_sources() -> tuple[Source, ...]:
    """Return all published sources, in the order of their files' names."""
    return tuple(read_source(path) for path in sorted(FOLDER.glob("*.yaml")) if path != TEMPLATE)


def published_rows() -> pd.DataFrame:
    """Return all published rows; identifying columns are strings, empty where unknown, metrics float64."""
    import pandas as pd

    table = pd.DataFrame([row for source in published_sources() for row in rows_of(source)])
    table[["train_normal", "test_normal", "test_anomalous"]] = table[
        ["train_normal", "test_normal", "test_anomalous"]
    ].astype("Int64")
    return table


def published_log(dataset: str) -> pd.DataFrame:
    """Return the public training logs on a dataset: the eleven metrics by method, part and epoch.

    Args:
        dataset: ``mvtec_ad`` or ``coco-ad``.

    Returns:
        Columns source, method, dataset, part (a class, ``mean``, or a split's number), epoch (int64) and the metrics
        (fractions). They were written while 15 classes, or a split, were trained together; PatchCore's one pass is
        epoch 1. Their pixel AUROC, AP and AUPRO on COCO-AD come from 50-bin histograms (caveat ``50-bin``).

    Raises:
        KeyError: there is no log of that dataset.
    """
    import pandas as pd

    return pd.read_csv(Path(__file__).parent / "logs" / LOGS[dataset], dtype={"part": "str"})
