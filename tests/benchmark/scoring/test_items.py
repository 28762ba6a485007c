"""Real-IAD's views, from its lists to the record of what was scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from benchmark.cli.score import command
from benchmark.datasets import load_dataset
from benchmark.runs.record import read_record


def test_views_of_one_item_are_scored_together(tmp_path: Path) -> None:
    root = tmp_path / "real/realiad_256/mint"
    entries = []
    for number, (name, bad) in enumerate(
        {"OK/S1/a": 0, "OK/S1/b": 0, "OK/S2/a": 0, "OK/S2/b": 0, "NG/AK/S3/a": 1, "NG/AK/S3/b": 1}.items()
    ):
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (number, 9, 9)).save(file)
        mask = f"{name}_mask.png" if bad else None
        if mask:
            Image.fromarray(np.eye(32, dtype=np.uint8) * 255).save(root / mask)
        entries.append(
            {"image_path": f"{name}.png", "anomaly_class": "AK" if bad else "OK", "mask_path": mask}
        )
    lists = tmp_path / "real/realiad_jsons/realiad_jsons/mint.json"
    lists.parent.mkdir(parents=True)
    lists.write_text(json.dumps({"train": entries[:2], "test": entries[2:]}))
    data = load_dataset(tmp_path / "real")
    rows = [f"{sample.id},{score}" for sample, score in zip(data.test, (0.1, 0.5, 0.3, 0.9), strict=True)]
    (tmp_path / "scores.csv").write_text("\n".join(["id,score", *rows]) + "\n")
    words = ["--scores", str(tmp_path / "scores.csv"), "--dataset", str(tmp_path / "real"), "--name", "m"]
    result = CliRunner().invoke(command, [*words, "--out", str(tmp_path / "runs")])
    assert result.exit_code == 0, result.output
    record = read_record(next((tmp_path / "runs").iterdir()))
    assert record.metrics["exact"]["image_auroc"] == 0.75
    assert record.per_item["image_auroc"] == 1.0
