"""``bench export``: a trained run for production."""

from __future__ import annotations

import time
from pathlib import Path

import click

from benchmark.cli.options import NO_RUN, RUN
from cocoad.base.commands import FILE, renamed

EXAMPLES = (
    "bench export runs/invad-lite_tiles_seed-42                  # RUN/model.onnx",
    "bench export runs/invad-lite_tiles_seed-42 --out model.onnx",
)
PAGE = "docs/how-to/onnx.md"


@click.command("export")
@RUN
@click.option("--out", type=FILE, help="File to write.  [default: RUN/model.onnx]")
@click.option(
    "--half", is_flag=True, help="Compute in float16: half the size; inputs and outputs stay float32."
)
@NO_RUN
@renamed("--format", "what is written is ONNX")
def command(directory: Path, out: Path | None, half: bool) -> None:
    """Export the trained run in RUN to ONNX (opset 18) and check onnxruntime's maps against PyTorch's.

    Input: images, float32 (batch, 3, S, S), RGB in [0, 1]. Outputs: maps (batch, S, S) and scores (batch,).
    The file's metadata says sizes, normalisation, thresholds and versions; `bench predict --onnx` runs it without
    torch.
    """
    from benchmark.inference.onnx import OPSET, export_onnx
    from benchmark.inference.trained import load_run

    started = time.monotonic()
    path = out or directory / "model.onnx"
    worst = export_onnx(load_run(directory, "cpu"), path, half)
    click.echo(str(path))
    click.echo(
        f"opset {OPSET}{', float16' if half else ''}, {path.stat().st_size / 1e6:.1f} MB, "
        f"{time.monotonic() - started:.0f} s; onnxruntime's maps differ from PyTorch's by at most {worst:.1e}",
        err=True,
    )
