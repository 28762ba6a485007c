# Everything installed, for CPUs or GPUs:
#     docker build -t cocoad .
# Another base, with Python 3.10 or newer or none: --build-arg BASE=nvidia/cuda:12.6.3-runtime-ubuntu24.04
# The default torch brings CUDA's libraries, 5 GB of them. Where only CPUs are, name an index that has torch without:
#     docker build -t cocoad --build-arg PIP_EXTRA_INDEX_URL=… .
# COCO, the dataset and the runs stay outside, in the volume /data (docs/how-to/containers.md).
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE}

ARG PIP_EXTRA_INDEX_URL=
ARG EXTRAS=offline,report

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN if ! command -v python3 > /dev/null; then \
        apt-get update && \
        apt-get install --yes --no-install-recommends python3 python3-venv && \
        rm -rf /var/lib/apt/lists/*; \
    fi

RUN python3 -m venv /opt/cocoad
ENV PATH=/opt/cocoad/bin:$PATH \
    COCOAD_CACHE=/data/cache \
    PYTHONUNBUFFERED=1

WORKDIR /src
COPY . .
# What it installs is named by pyproject.toml.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".[${EXTRAS}]"

RUN useradd --create-home --uid 10001 cocoad && mkdir /data && chown cocoad /data
USER 10001
VOLUME /data
WORKDIR /data
CMD ["bench", "--help"]
