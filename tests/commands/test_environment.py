"""bin/lib/environment: which Python is taken, and that an environment is made once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trackstat.embedded.home import CHECKOUT

TOOLS = ("bash", "cat", "cmp", "dirname", "env")
SHOW = '. bin/lib/environment requirements.txt; "$python" -c "import sys; print(sys.version_info[:2], sys.prefix)"'


@pytest.fixture
def checkout(tmp_path):
    """A checkout in a path with spaces whose requirements are empty."""
    folder = tmp_path / "my practice" / "track stat"
    (folder / "bin" / "lib").mkdir(parents=True)
    for name in ("bin/lib/environment", "bin/lib/install.py", ".python-version"):
        shutil.copy(CHECKOUT / name, folder / name)
    (folder / "requirements.txt").write_text("# nothing\n")
    return folder


@pytest.fixture
def tools(tmp_path):
    """A PATH with nothing but what a shell script needs."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name))
    return folder


def start(checkout: Path, tools: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(tools), "HOME": str(home), "LC_ALL": "C.UTF-8"}
    return subprocess.run(["bash", "-c", SHOW], cwd=checkout, env=environment, capture_output=True, text=True)


def test_without_python_3_13_it_says_how_to_get_one(checkout, tools, tmp_path):
    said = start(checkout, tools, tmp_path)
    assert said.returncode == 1
    assert "TrackStat needs Python 3.13, and there is none here" in said.stderr
    assert not (checkout / ".venv").exists()


def test_an_older_python_is_not_taken(checkout, tools, tmp_path):
    older = tools / "python3"
    older.write_text("#!/usr/bin/env bash\necho 3.11\n")
    older.chmod(0o755)
    assert "there is none here" in start(checkout, tools, tmp_path).stderr


def test_a_python_on_the_path_makes_the_environment_once(checkout, tools, tmp_path):
    (tools / "python3").symlink_to(sys._base_executable)
    first, second = start(checkout, tools, tmp_path), start(checkout, tools, tmp_path)
    assert first.returncode == 0, first.stderr
    assert "Installing requirements.txt" in first.stdout
    assert second.stdout == f"(3, 13) {checkout}/.venv\n"


def test_pyenvs_python_is_found_where_pyenv_keeps_it(checkout, tools, tmp_path):
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    kept = tmp_path / ".pyenv" / "versions" / "3.13.9" / "bin"
    kept.mkdir(parents=True)
    (kept / "python").symlink_to(sys._base_executable)
    assert f"(3, 13) {checkout}/.venv\n" in start(checkout, tools, tmp_path).stdout


def test_uv_does_the_work_where_there_is_one(checkout, tools, tmp_path):
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    (tools / "python3.13").symlink_to(sys._base_executable)
    said = start(checkout, tools, tmp_path)
    assert f"(3, 13) {checkout}/.venv\n" in said.stdout, said.stderr
    # What uv makes has no pip.
    assert not (checkout / ".venv" / "bin" / "pip").exists()


def test_changed_requirements_are_installed_again(checkout, tools, tmp_path):
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    (tools / "python3.13").symlink_to(sys._base_executable)
    start(checkout, tools, tmp_path)
    (checkout / "requirements.txt").write_text("# nothing new\n")
    assert "Installing requirements.txt" in start(checkout, tools, tmp_path).stdout
    assert "Installing" not in start(checkout, tools, tmp_path).stdout


def test_an_environment_whose_python_is_gone_is_made_anew(checkout, tools, tmp_path):
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    (tools / "python3.13").symlink_to(sys._base_executable)
    start(checkout, tools, tmp_path)
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.13")
    assert f"(3, 13) {checkout}/.venv\n" in start(checkout, tools, tmp_path).stdout


def test_a_package_with_another_hash_is_refused(checkout, tools, tmp_path):
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was written down")
    (checkout / "requirements.txt").write_text(f"tiny @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    (tools / "python3.13").symlink_to(sys._base_executable)
    said = start(checkout, tools, tmp_path)
    assert said.returncode == 1
    assert "could not be installed" in said.stderr
    assert not (checkout / ".venv" / "installed-requirements.txt").exists()


@pytest.mark.parametrize("name", ["demo", "manage", "test", "ci", "lib/assets", "lib/lock"])
def test_every_command_can_be_run(name):
    assert os.access(CHECKOUT / "bin" / name, os.X_OK)
