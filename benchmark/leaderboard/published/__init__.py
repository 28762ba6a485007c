"""The published COCO-AD results (and InvAD's on five other datasets) as rows beside one's own runs.

Each CSV here has one row per source, method, dataset and split; ``split`` is ``mean`` where only the mean of
the four splits was published. Values are fractions; ``caveats`` are keys of :data:`CAVEATS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FILES = ("coco_ad_means.csv", "coco_ad_by_split.csv", "invad_other_datasets.csv")

LOGS = {"mvtec_ad": "mvtec_ad.csv", "coco-ad": "coco_ad.csv"}  # the ADer benchmark's, by dataset

CAVEATS = {
    "means-only": "published as the mean of the four splits, without the splits",
    "50-bin": "pixel AUROC, AP and AUPRO from 50-bin histograms, so wrong by some tenths of a point",
    "swapped-ap-f1": "pixel AP and F1-max look swapped in the source; given as printed",
    "reordered": "the source prints AUPRO in a wrong column of most rows; put in order, means recomputed",
    "size-not-stated": "evaluation resolution not known; shown among the 256-pixel rows",
}


def published_rows() -> pd.DataFrame:
    """Return all published rows; identifying columns are strings, empty where unknown, metrics float64."""
    import pandas as pd

    names = ("source", "method", "dataset", "split", "image_size", "protocol", "epochs", "caveats")
    folder = Path(__file__).parent
    tables = [pd.read_csv(folder / name, dtype=dict.fromkeys(names, "str")) for name in FILES]
    table = pd.concat(tables, ignore_index=True)
    return table.fillna(dict.fromkeys(names, ""))


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
