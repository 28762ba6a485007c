"""Trained runs put to use: predicting and deciding on a person's own images, exporting to ONNX.

>>> from benchmark.inference import load_run  # doctest: +SKIP
>>> model = load_run("runs/invad-lite")  # doctest: +SKIP
>>> model.predict("photo.jpg").score, model.decide("photo.jpg").anomalous  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

__all__ = ["Decision", "Model", "OnnxModel", "Prediction", "TrainedModel", "load_onnx", "load_run"]

if TYPE_CHECKING:
    from benchmark.inference.decide import Decision
    from benchmark.inference.exported import OnnxModel, load_onnx
    from benchmark.inference.model import Model, Prediction
    from benchmark.inference.trained import TrainedModel, load_run
else:
    from cocoad.base.door import offered

    __getattr__, __dir__ = offered(
        __name__,
        {
            "Decision": "benchmark.inference.decide:Decision",
            "Model": "benchmark.inference.model:Model",
            "OnnxModel": "benchmark.inference.exported:OnnxModel",
            "Prediction": "benchmark.inference.model:Prediction",
            "TrainedModel": "benchmark.inference.trained:TrainedModel",
            "load_onnx": "benchmark.inference.exported:load_onnx",
            "load_run": "benchmark.inference.trained:load_run",
        },
    )
