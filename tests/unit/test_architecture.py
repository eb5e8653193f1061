"""The rules of the house, read from the code itself."""

from __future__ import annotations

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "api", "ipc", "watchdog")

#: api -> agent -> ipc <- watchdog, and every package may use itself.
MAY_IMPORT = {
    "ipc": {"ipc"},
    "agent": {"agent", "ipc"},
    "api": {"api", "agent", "ipc"},
    "watchdog": {"watchdog", "ipc"},
}
#: What only one module may import, and which.
ONLY_IN = {
    "flair": "agent/sentiment/flair_engine.py",
    "onnx": "agent/sentiment/onnx_graph.py",
    "onnxruntime": "agent/sentiment/onnx_engine.py",
    "tokenizers": "agent/sentiment/onnx_engine.py",
    "torch": "agent/sentiment/flair_engine.py",
    "transformers": "agent/sentiment/flair_engine.py",
    "asyncpraw": "agent/sources/reddit.py",
    "azure": "agent/store/cosmos_client.py",
    "apprise": "watchdog/apprise_sender.py",
    "matplotlib": "agent/sentiment/plot.py",
    "pyarrow": "api/parquet_writer.py",
    "textblob": "agent/sentiment/judges.py",
    "vaderSentiment": "agent/sentiment/judges.py",
}
#: `api` shows what is stored; it never reads a source or loads a model.
NOT_FOR_API = ("agent.sources", "agent.sentiment", "agent.outbox", "agent.collector", "agent.analyzer")


def modules() -> list[Path]:
    """Return every module of the four packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = node.module or ""
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    """Api -> agent -> ipc <- watchdog: the watchdog outlives a broken agent because it imports none of it."""
    package = path.relative_to(ROOT).parts[0]
    ours = {name.split(".")[0] for name in imported(path)} & set(PACKAGES)
    assert ours <= MAY_IMPORT[package]
    if package == "api":
        assert [name for name in imported(path) if name.startswith(NOT_FOR_API)] == []


@pytest.mark.parametrize(("library", "home"), ONLY_IN.items())
def test_a_heavy_library_has_one_home(library: str, home: str) -> None:
    """So that everything else can be installed, started and tested without it."""
    users = [
        str(path.relative_to(ROOT)) for path in modules() if library in {name.split(".")[0] for name in imported(path)}
    ]
    assert users in ([], [home])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_a_docstring_and_no_imports(package: str) -> None:
    """Importing one module must not bring its neighbours."""
    for path in (ROOT / package).rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr), path


def test_no_other_distribution_brings_our_names() -> None:
    """`watchdog` and `agent` are taken on PyPI: with one of those installed, we would start something else."""
    distributions = packages_distributions()
    for package in PACKAGES:
        assert set(distributions.get(package, [])) <= {"sentimentagent"}, package


def test_no_module_is_two_rooms() -> None:
    """A file past 500 lines is probably two."""
    assert [str(path) for path in modules() if len(path.read_text().splitlines()) > 500] == []
