"""From COCO 2017 to COCO-AD: build the benchmark's datasets and prove that they are right.

>>> import cocoad
>>> cocoad.sample("mini-coco")  # doctest: +SKIP
>>> cocoad.build_dataset("mini-coco", "coco-ad")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "build_dataset", "read_dataset", "read_split", "sample", "verify"]

if TYPE_CHECKING:
    from cocoad.build.builder import build_dataset
    from cocoad.dataset.manifest import read_dataset, read_split
    from cocoad.sample import draw_sample as sample
    from cocoad.verify import verify
else:
    from cocoad.base.door import offered

    __getattr__, __dir__ = offered(
        __name__,
        {
            "build_dataset": "cocoad.build.builder:build_dataset",
            "read_dataset": "cocoad.dataset.manifest:read_dataset",
            "read_split": "cocoad.dataset.manifest:read_split",
            "sample": "cocoad.sample",
            "verify": "cocoad.verify",
        },
    )
