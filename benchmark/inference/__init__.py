"""Trained runs put to use: predicting on a person's own images, exporting to ONNX.

>>> from benchmark.inference import load_run  # doctest: +SKIP
>>> model = load_run("runs/invad-lite")  # doctest: +SKIP
>>> prediction = model.predict("photo.jpg")  # doctest: +SKIP
"""

from benchmark.inference.trained import Prediction, TrainedModel, load_run

__all__ = ["Prediction", "TrainedModel", "load_run"]
