"""The checks of bin/ci that are our own, each shown to find what it is there for."""

import importlib.util
import json
import subprocess

import pytest

from trackstat.embedded.home import CHECKOUT


@pytest.fixture
def ci(tmp_path, monkeypatch):
    """The module, looking at a folder of its own."""
    spec = importlib.util.spec_from_file_location("ci", CHECKOUT / "bin" / "lib" / "ci.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def lock(folder, **package):
    (folder / "package.json").write_text(json.dumps({"dependencies": {"htmx.org": "4.0.1"}}))
    packages = {
        "": {"dependencies": {"htmx.org": "4.0.1"}},
        "node_modules/htmx.org": {"integrity": "sha512-x"} | package,
    }
    (folder / "package-lock.json").write_text(json.dumps({"packages": packages}))


def test_a_package_lock_that_agrees_is_fine(ci, tmp_path):
    lock(tmp_path)
    ci.package_lock()


def test_a_package_lock_that_names_a_registry_is_found(ci, tmp_path):
    lock(tmp_path, resolved="https://example.com/htmx.tgz")
    with pytest.raises(ci.Wrong, match=r"says where packages came from: node_modules/htmx\.org"):
        ci.package_lock()


def test_a_package_lock_without_a_hash_is_found(ci, tmp_path):
    lock(tmp_path, integrity=None)
    packages = json.loads((tmp_path / "package-lock.json").read_text())
    del packages["packages"]["node_modules/htmx.org"]["integrity"]
    (tmp_path / "package-lock.json").write_text(json.dumps(packages))
    with pytest.raises(ci.Wrong, match="no hash"):
        ci.package_lock()


def test_a_package_lock_that_lags_behind_is_found(ci, tmp_path):
    lock(tmp_path)
    (tmp_path / "package.json").write_text(json.dumps({"dependencies": {"htmx.org": "4.0.2"}}))
    with pytest.raises(ci.Wrong, match="does not agree"):
        ci.package_lock()


def test_a_committed_file_that_names_a_registry_is_found(ci, tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "fine.txt").write_text("nothing here")
    (tmp_path / "with space.txt").write_text("--index-url https://" + "py" + "pi.org/simple")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    with pytest.raises(ci.Wrong, match=r"name a package registry: with space\.txt$"):
        ci.no_registry_named()


def test_a_compose_file_without_a_service_is_found(ci, tmp_path):
    (tmp_path / "docker-compose.yml").write_text("services: {web: {}}\n")
    with pytest.raises(ci.Wrong, match=r"has \['web'\]"):
        ci.compose()
