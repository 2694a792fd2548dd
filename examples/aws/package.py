"""Make ``build/lambda.zip``: an app, overwinter and what it needs, for Lambda on arm64. No Docker, no build on AWS.

    python examples/aws/package.py                                  the support desk
    python examples/aws/package.py --app shop.py --app prices.py    files of your own; OVERWINTER_APP names the first
    python examples/aws/package.py --extra llm                      with litellm, for a real model

Only wheels that are published for Lambda's machines are taken; nothing is compiled here but bytecode, for which a
Python of the same version must be on this machine (without one every cold start compiles again, and the script says
so). The same versions make the same zip, byte by byte: ``build/lambda-versions.txt`` lists them, and
``--constraint FILE`` takes a list like it.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}
SERVER_ONLY = ("uvloop", "httptools", "watchfiles")
"""What only a server of one's own needs: a third of the size."""
SERVICES = ("dynamodb", "events", "lambda", "s3", "sns", "sqs", "sts")
"""AWS services that botocore knows in the package; all of them would be 27 MB more to load at a cold start."""
PAGES = ("litellm/proxy/_experimental/out", "litellm/proxy/swagger")
"""Web pages of a proxy server that comes with litellm; with them it is too large for Lambda."""
NOT_SHIPPED = (
    "tests",
    "docs",
    "examples",
    "benchmarks",
    "build",
    "dist",
    "__pycache__",
    "node_modules",
    "*.egg-info",
    ".*",
)
LARGEST = 250 * 1024 * 1024  # unpacked; Lambda's limit


def main() -> None:
    """See above."""
    options = read_options()
    build = Path(options.build)
    target = build / "lambda"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    install(options, build, target)
    for app in options.app or [ROOT / "examples" / "support_desk.py"]:
        copy = shutil.copytree if Path(app).is_dir() else shutil.copy
        copy(app, target / Path(app).name)
    trim(target, {*SERVICES, *options.service})
    (build / "lambda-versions.txt").write_text(versions(target), "utf-8")
    compiled = compile_all(target, options.python)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if size > LARGEST:
        sys.exit(f"the unpacked package has {size / 1e6:.0f} MB, and Lambda takes 262; leave an extra or a library out")
    pack(target, build / "lambda.zip")
    packed = (build / "lambda.zip").stat().st_size
    print(f"{build / 'lambda.zip'}: {packed / 1e6:.1f} MB, {size / 1e6:.1f} MB unpacked, Python {options.python}")
    if not compiled:
        print(f"without bytecode: there is no python{options.python} here, so every cold start compiles (seconds)")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--app", action="append", help="file or folder to put beside the libraries; repeatable")
    parser.add_argument("--extra", action="append", default=[], help="extra of overwinter beside dynamodb; repeatable")
    parser.add_argument("--service", action="append", default=[], help="AWS service that the app calls; repeatable")
    parser.add_argument("--python", default="3.13", help="Lambda's Python (default: 3.13), as in serverless.yml")
    parser.add_argument("--architecture", default="arm64", choices=PLATFORMS)
    parser.add_argument("--source", default=str(ROOT), help="overwinter: a checkout, a wheel, or a requirement")
    parser.add_argument("--constraint", help="file with versions, like build/lambda-versions.txt")
    parser.add_argument("--build", default="build", help="folder to write to (default: build)")
    return parser.parse_args()


def pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], check=False)
    if done.returncode:
        sys.exit("pip could not make the package; its message is above")


def install(options: argparse.Namespace, build: Path, target: Path) -> None:
    """The library and what it needs, as wheels for Lambda's machine."""
    machine = PLATFORMS[options.architecture]
    extras = ",".join(["dynamodb", *options.extra])
    requirement = f"{wheel_of(options.source, build)}[{extras}]"
    platforms = [f"--platform=manylinux{version}_{machine}" for version in ("2014", "_2_28", "_2_34")]
    constraint = ["--constraint", options.constraint] if options.constraint else []
    kept = ["--only-binary=:all:", f"--python-version={options.python}", "--implementation=cp", "--no-compile"]
    pip("install", "--quiet", "--target", str(target), *platforms, *kept, *constraint, requirement)


def wheel_of(source: str, build: Path) -> str:
    """A wheel of a checkout, made from a copy of it so that nothing is left behind there; else the source itself."""
    if not Path(source).is_dir():
        return source
    copy = build / "source"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    wheels = build / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(copy))
    shutil.rmtree(copy)
    return str(next(wheels.glob("*.whl")))


def versions(target: Path) -> str:
    """What was installed, as constraints for the next time."""
    found = {f"{one.metadata['Name']}=={one.version}\n" for one in distributions(path=[str(target)])}
    return "".join(sorted(line for line in found if not line.startswith("overwinter==")))


def trim(target: Path, services: set[str]) -> None:
    """Take out what Lambda has no use for, and what differs from machine to machine."""
    for path in target.glob("botocore/data/*/"):
        if path.name not in services:
            shutil.rmtree(path)
    for pattern in (*SERVER_ONLY, *(f"{name}-*.dist-info" for name in SERVER_ONLY), *PAGES, "bin"):
        for path in target.glob(pattern):
            shutil.rmtree(path)
    for path in target.glob("*.dist-info/direct_url.json"):
        path.unlink()


def compile_all(target: Path, version: str) -> bool:
    """Bytecode that needs no check against its source, because /var/task can't be written to. False without Python."""
    python = sys.executable if platform.python_version().startswith(f"{version}.") else shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-V"], capture_output=True, check=False).returncode:
        return False
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(target), "-p", "/var/task"]
    return not subprocess.run([python, "-m", "compileall", *options, str(target)], check=False).returncode


def pack(target: Path, archive: Path) -> None:
    """A zip that is the same for the same files: sorted, without times and owners."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(target.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(target).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    main()
