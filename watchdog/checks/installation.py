"""The Python and its packages, without importing any of them: torch alone would take seconds and 200 MB."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ipc.settings import Settings

#: Held together with pyproject.toml by a test.
OLDEST: Final = (3, 11)
NEWEST: Final = (3, 13)
#: The extras without which a process does not start, whatever the settings. The analyzer's depends on its engine.
EXTRAS: Final = ("collector", "api", "watchdog")
OURS: Final = ("agent", "api", "ipc", "watchdog")

_DISTRIBUTION: Final = "sentimentagent"
_INSTALL: Final = f"{sys.prefix}/bin/pip install -r deployment/requirements.txt"
#: What the pinned requirements don't hold, as the default settings don't need it.
_MENDS: Final = {"onnx": f"{sys.prefix}/bin/pip install 'sentimentagent[onnx]'"}
#: A requirement in a distribution's metadata (PEP 508): ``torch==2.13.0; extra == 'analyzer'``.
_REQUIREMENT: Final = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:==(?P<pin>[^,;\s]+)$|[^;]*)")
#: Where the top-level module is shared: that `azure` can be imported says nothing of `azure.cosmos`.
_MODULES: Final = {"azure-cosmos": ["azure.cosmos"]}
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def check() -> Iterator[Finding]:
    """Look at the Python, at each extra, and at who brings our packages."""
    yield python(sys.version_info[:3])
    by_module = metadata.packages_distributions()
    modules = _by_distribution(by_module)
    requirements = metadata.requires(_DISTRIBUTION) or []
    for extra in EXTRAS:
        yield installed(extra, requirements, modules)
    yield owners(by_module)
    yield origins(Path(__file__).parents[2])


def called_for(settings: Settings) -> Iterator[Finding]:
    """Look at the extras that only some settings need."""
    engine = settings.analyzer.sentiment_engine
    yield from _extras(
        {
            "analyzer": ("SENTIMENT_ENGINE=flair", engine == "flair"),
            "onnx": ("SENTIMENT_ENGINE=onnx", engine == "onnx"),
            "alerts": ("ALERT_URLS", bool(settings.alerts.alert_urls)),
            "cosmos": ("COSMOS_ENDPOINT", bool(settings.store.cosmos_endpoint or settings.store.cosmos_key)),
        },
        metadata.requires(_DISTRIBUTION) or [],
        _by_distribution(metadata.packages_distributions()),
    )


def _extras(
    wanted: Mapping[str, tuple[str, bool]], requirements: Iterable[str], modules: Mapping[str, list[str]]
) -> Iterator[Finding]:
    for extra, (name, is_set) in wanted.items():
        if is_set:
            yield installed(extra, requirements, modules)
        else:
            yield Claim(f"venv.{extra}", f"what {name} needs is installed").ok(f"not needed: {name} is not set")


def python(version: tuple[int, ...]) -> Finding:
    """Judge the Python's version."""
    claim = Claim("venv.python", f"Python {_dotted(OLDEST)} to {_dotted(NEWEST)}")
    found = f"Python {_dotted(version)} in {sys.prefix}"
    if OLDEST <= version[:2] <= NEWEST:
        return claim.ok(found)
    return claim.wrong(found, "remove .venv, then: PYTHON=python3.11 ./start.sh")


def installed(extra: str, requirements: Iterable[str], modules: Mapping[str, list[str]]) -> Finding:
    """Judge whether what ``extra`` requires is there: the distribution, its pinned version, its modules.

    ``modules`` are the top-level modules of every installed distribution, by its normalised name.
    """
    claim = Claim(f"venv.{extra}", f"every package that the {extra} needs is installed, in its version where pinned")
    needed = dict(_required_by(extra, requirements))
    troubles = [trouble for name, pin in needed.items() if (trouble := _trouble(name, pin, modules)) is not None]
    if troubles:
        return claim.wrong("; ".join(troubles), _MENDS.get(extra, _INSTALL))
    if not needed:
        return claim.not_checked("the installed metadata names no package for it", _INSTALL)
    return claim.ok(", ".join(needed))


def owners(by_module: Mapping[str, list[str]]) -> Finding:
    """Judge whether another distribution brings one of our packages: PyPI has an `agent` and a `watchdog` too."""
    claim = Claim("venv.owners", f"no other distribution brings {', '.join(OURS)}")
    foreign = sorted({name for package in OURS for name in by_module.get(package, [])} - {_DISTRIBUTION})
    if not foreign:
        return claim.ok("only ours")
    mend = f"{sys.prefix}/bin/pip uninstall {' '.join(foreign)}, then install this project again"
    return claim.wrong(f"brought by {', '.join(foreign)} too", mend)


def origins(root: Path) -> Finding:
    """Judge whether all our packages come from the one folder ``root``: a PYTHONPATH may shadow one."""
    claim = Claim("venv.origins", f"{', '.join(OURS)} come from {root}")
    strays = []
    for package in OURS:
        spec = importlib.util.find_spec(package)
        origin = spec.origin if spec else None
        if origin is None or Path(origin).parents[1] != root:
            strays.append(f"{package} comes from {origin or 'nowhere'}")
    return claim.wrong("; ".join(strays), "unset PYTHONPATH; set PYTHONSAFEPATH=1") if strays else claim.ok("they do")


def _required_by(extra: str, requirements: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for text in requirements:
        requirement, _, marker = text.partition(";")
        named = _EXTRA.search(marker)
        match = _REQUIREMENT.match(requirement.strip())
        if named and named[1] == extra and match:
            yield match["name"], match["pin"]


def _trouble(name: str, pin: str | None, modules: Mapping[str, list[str]]) -> str | None:
    try:
        # A local build ("2.13.0+cpu") is the public version that was asked for (PEP 440).
        version = metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if pin is not None and version != pin:
        return f"{name} is {version} and should be {pin}"
    tops = _MODULES.get(_normal(name)) or modules.get(_normal(name), [])
    if tops and not any(map(can_be_imported, tops)):
        return f"{name} is installed, but can't be imported"
    return None


def can_be_imported(module: str) -> bool:
    """Tell whether ``module`` is there, without importing it (of ``azure.cosmos`` only the empty ``azure`` is)."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what it would be a part of
        return False


def _by_distribution(by_module: Mapping[str, list[str]]) -> dict[str, list[str]]:
    modules: dict[str, list[str]] = {}
    for module, names in by_module.items():
        for name in names:
            modules.setdefault(_normal(name), []).append(module)
    return modules


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
