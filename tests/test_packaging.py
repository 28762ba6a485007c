"""What is built and published is complete: what works in a checkout works from a wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import cocoad

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.slow
def test_the_wheel_made_from_the_source_distribution_holds_every_file_of_both_packages_and_no_other(
    tmp_path: Path,
) -> None:
    source, dist = tmp_path / "source", tmp_path / "dist"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    archives = sorted(dist.iterdir())
    assert [path.name for path in archives] == [
        f"cocoad-{cocoad.__version__}-py3-none-any.whl",
        f"cocoad-{cocoad.__version__}.tar.gz",
    ]
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *archives], check=True)
    tracked = subprocess.run(
        ["git", "ls-files", "cocoad", "benchmark", "splits"],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    wanted = {name if not name.startswith("splits/") else f"cocoad/{name}" for name in tracked}
    wanted -= {"cocoad/splits"}
    with zipfile.ZipFile(archives[0]) as wheel:
        assert {name for name in wheel.namelist() if ".dist-info/" not in name} == wanted
    with tarfile.open(archives[1]) as sdist:
        files = {name.partition("/")[2] for name in sdist.getnames()}
        assert (
            wanted | {"LICENSE", "README.md", "CITATION.cff", "CHANGELOG.md", "requirements/light.lock"}
            <= files
        )
        assert not any(member.issym() for member in sdist.getmembers())  # an installer may refuse links


def test_the_version_is_stated_once_and_the_citation_and_the_changelog_agree_with_it(
    project: dict[str, Any],
) -> None:
    assert "version" in project["project"]["dynamic"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == cocoad.__version__
    assert f"\n## {cocoad.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def workflows() -> dict[str, Any]:
    return {
        path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").iterdir()
    }


def test_workflows_make_what_the_makefile_has() -> None:
    made = {
        target
        for flow in workflows().values()
        for job in flow["jobs"].values()
        for step in job["steps"]
        for target in re.findall(r"make ([a-z-]+)", step.get("run", ""))
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert made == {"check", "audit", "test", "lowest", "docs", "dist"}
    assert made <= targets


def test_the_tests_run_on_every_python_that_the_package_says_it_works_with(project: dict[str, Any]) -> None:
    said = re.findall(r"Python :: (3\.\d+)", "\n".join(project["project"]["classifiers"]))
    assert workflows()["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]["python"] == said
    assert project["project"]["requires-python"] == f">={said[0]}"


def test_every_extra_is_in_the_page_on_installing(project: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    rows = re.findall(r"^\| (`[^|]*`) \|", page.partition("## Without torch")[0], re.MULTILINE)
    assert {extra for row in rows for extra in re.findall(r"`(\w+)`", row)} == set(
        project["project"]["optional-dependencies"]
    )


@pytest.mark.parametrize("command", ["cocoad", "bench"])
def test_help_imports_nothing_that_takes_long(command: str) -> None:
    heavy = "{'numpy', 'pandas', 'cv2', 'torch', 'rich', 'jsonschema', 'PIL'}"
    package = {"cocoad": "cocoad", "bench": "benchmark"}[command]
    script = (
        f"import sys; sys.argv = ['{command}', '--help']\n"
        f"from {package}.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('imported:', sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("imported: []\n")
