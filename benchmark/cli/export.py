"""``bench export``: a trained run for production."""

from __future__ import annotations

import time
from pathlib import Path

import click


@click.command("export")
@click.option("--run", "directory", required=True, type=click.Path(path_type=Path), help="A trained run.")
@click.option("--format", "_format", type=click.Choice(["onnx"]), default="onnx", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: RUN/model.onnx]")
def command(directory: Path, _format: str, out: Path | None) -> None:
    """Export a trained run to ONNX (opset 18) and check onnxruntime's maps against PyTorch's.

    Input: images, float32 (batch, 3, S, S), RGB in [0, 1]. Outputs: maps (batch, S, S) and scores (batch,).
    """
    from benchmark.inference.onnx import OPSET, export_onnx
    from benchmark.inference.trained import load_run

    started = time.monotonic()
    path = out or directory / "model.onnx"
    worst = export_onnx(load_run(directory, "cpu"), path)
    click.echo(str(path))
    click.echo(
        f"opset {OPSET}, {path.stat().st_size / 1e6:.1f} MB, {time.monotonic() - started:.0f} s; "
        f"onnxruntime's maps differ from PyTorch's by at most {worst:.1e}",
        err=True,
    )
