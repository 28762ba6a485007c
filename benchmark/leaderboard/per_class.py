"""One model per class: the runs of all classes of a dataset become one row, their mean.

It is how MVTec AD is commonly benchmarked, and another setting than one model for all classes: the two never
stand in one ranking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.leaderboard.table import COUNTS, VARIANT
from benchmark.runs.columns import METRICS

if TYPE_CHECKING:
    import pandas as pd

PER_CLASS = "per-class"
SAME = (
    *VARIANT,
    "dataset",
    "layout",
    "image_size",
    "split",
    "seed",
    "protocol",
    "whole_hash",
    "whole_classes",
)
SUMMED = ("train_seconds", "test_seconds", "parameters", "trainable_parameters")
LARGEST = ("peak_memory_bytes", "peak_gpu_memory_bytes")


def with_class_means(own: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a protocol's runs with those of single classes replaced by their means; and notes.

    Only where every class is there is a mean made (of the latest run of each). Runs of the other classes stay as
    they are, and a note says what they lack.
    """
    import pandas as pd

    single = own[(own["setting"] == PER_CLASS) & (own["whole_classes"] != "")]
    if single.empty:
        return own, []
    means: list[dict[str, Any]] = []
    done: list[Any] = []
    notes = []
    for _, group in single.groupby(list(SAME), sort=True):
        latest = group.sort_values("finished_at").drop_duplicates("classes", keep="last")
        wanted = str(latest["whole_classes"].iloc[0]).split(";")
        missing = [name for name in wanted if name not in set(latest["classes"])]
        if missing:
            few = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
            notes.append(
                f"{latest['method'].iloc[0]} on {latest['dataset'].iloc[0]}, one model per class: "
                f"{len(latest)} of {len(wanted)} classes, so no mean; lacking {few}"
            )
            continue
        means.append(_mean(latest, wanted))
        done += list(group.index)
    left = own.drop(index=done)
    made = pd.DataFrame(means, columns=own.columns).astype(own.dtypes.to_dict()) if means else own.iloc[:0]
    return (pd.concat([left, made], ignore_index=True) if len(left) else made), notes


def _mean(runs: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    """Return the row of all classes: metrics averaged, times and sizes added up, memory the largest."""
    row: dict[str, Any] = {str(name): value for name, value in runs.iloc[-1].items()}
    row |= {name: runs[name].mean(skipna=False) for name in (*METRICS, "gmacs")}
    row |= {name: runs[name].sum(skipna=False) for name in (*COUNTS, *SUMMED)}
    row |= {name: runs[name].max(skipna=False) for name in LARGEST}
    for part in ("train", "test"):
        images = runs[f"{part}_images_per_s"] * runs[f"{part}_seconds"]
        row[f"{part}_images_per_s"] = images.sum(skipna=False) / row[f"{part}_seconds"]
    row["flags"] = ";".join(sorted({flag for flags in runs["flags"] for flag in flags.split(";") if flag}))
    row |= {"classes": ";".join(sorted(classes)), "dataset_hash": row["whole_hash"], "whole_classes": ""}
    return row
