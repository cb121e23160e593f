"""Make .venv from requirements.lock, with the interpreter that runs this file.

Runs on any Python, so that an unfit one is told in one line what to install.
Nothing happens when .venv is already as the lock file and the interpreter ask.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "made-from")
LOCK = os.path.join(ROOT, "requirements.lock")


def refuse(message):
    """End with one line."""
    sys.exit("make: " + message)


def check_interpreter():
    """Refuse a Python that cannot build the handbook."""
    if sys.version_info < (3, 11):
        refuse(
            "the handbook needs Python 3.11 or newer, and %s is %d.%d: install one, "
            "then name it, as in: PYTHON=python3.13 make serve"
            % ((sys.executable,) + tuple(sys.version_info[:2]))
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        refuse(
            "%s has no venv: on Debian or Ubuntu, sudo apt install python%d.%d-venv"
            % ((sys.executable,) + tuple(sys.version_info[:2]))
        )


def wanted():
    """What .venv has to be made from, as the text of its stamp."""
    digest = hashlib.sha256()
    for name in (LOCK, os.path.join(ROOT, "pyproject.toml")):
        with open(name, "rb") as file:
            digest.update(file.read())
    return "\n".join((sys.version, os.path.realpath(sys.executable), ROOT, digest.hexdigest()))


def made_from():
    """What .venv was made from, or None."""
    try:
        with open(STAMP) as file:
            return file.read()
    except OSError:
        return None


def make():
    """Make .venv anew and install what the lock file names, and this project."""
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.check_call([sys.executable, "-m", "venv", VENV])
    folder = "Scripts" if os.name == "nt" else "bin"
    pip = [os.path.join(VENV, folder, "python"), "-m", "pip", "install", "-qq"]
    pip.append("--disable-pip-version-check")
    subprocess.check_call(pip + ["--require-hashes", "--requirement", LOCK])
    own = ["--no-build-isolation", "--no-deps", "--editable", ROOT]
    subprocess.check_call(pip + own)
    with open(STAMP, "w") as file:
        file.write(wanted())


if __name__ == "__main__":
    check_interpreter()
    if made_from() != wanted():
        print("make: installing what the handbook needs into .venv, once")
        sys.stdout.flush()
        try:
            make()
        except subprocess.CalledProcessError as error:
            refuse("could not make .venv: '%s' failed" % " ".join(error.cmd[1:4]))
