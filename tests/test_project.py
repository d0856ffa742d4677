# SPDX-License-Identifier: MIT
"""What holds for the project as a whole: contracts, headers, what the wheel carries, what the README promises."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

import mqtt_ref
from mqtt_ref.cli.main import COMMANDS, is_compiled

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"mqtt_ref": ROOT / "mqtt_ref", "mqtt_conformance": ROOT / "conformance" / "mqtt_conformance"}
LEFT_OUT = {".git", ".tox", ".venv", "build", "dist", "__pycache__"}


def files(*patterns: str) -> list[Path]:
    """The files of the project: what git tracks, or everything that is no by-product where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [p for pattern in patterns or ["*"] for p in ROOT.rglob(pattern) if not LEFT_OUT & {*p.parts}]
    return sorted(path for path in paths if path.is_file())


def relative(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def test_import_contracts_hold() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "conformance")}
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_module_says_what_it_offers() -> None:
    def has_all(path: Path) -> bool:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if len(body) == 1 and ast.get_docstring(ast.Module(body, [])):
            return True  # it offers nothing
        for node in body:
            if isinstance(node, ast.ImportFrom) and any(alias.name == "__all__" for alias in node.names):
                return True
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                return True
        return False

    public = [
        path
        for path in files("*.py")
        if any(path.is_relative_to(package) for package in PACKAGES.values())
        and (not path.name.startswith("_") or path.name == "__init__.py")
        and path.parent.name != "cases"  # a case is found by its decorator
    ]
    assert len(public) > 10
    assert [name for path, name in zip(public, relative(public), strict=True) if not has_all(path)] == []


def test_docstrings_cite_in_their_last_line() -> None:
    """A reader gets whole sentences, and the statement ids after them. Findings are reports, with ids in their text."""
    cited = re.compile(r"\b(?:MQTT5|MQTT311|X5|X311|X31)-[\w.-]*\w")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    wrong = []
    for path in files("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(("tests/", "conformance/findings/")) or "/generated/" in name:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, documented):
                continue
            if name == "mqtt_ref/wire/statements.py":
                continue  # it explains what an id is
            text, cites, last = (ast.get_docstring(node) or "").partition("\n\nCites: ")
            if cited.search(text) or "\n\n" in last:
                wrong.append(f"{name}:{getattr(node, 'lineno', 1)}")
            if cites and not all(cited.fullmatch(entry) for entry in re.split(r",\s+", last)):
                wrong.append(f"{name}:{getattr(node, 'lineno', 1)}: {last}")
    assert wrong == []


def test_short_names_are_found_where_they_are_looked_for() -> None:
    for name in mqtt_ref.__all__:
        assert name in dir(mqtt_ref)
        assert getattr(mqtt_ref, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Brocker'"):
        mqtt_ref.Brocker  # noqa: B018


def test_every_python_file_names_its_licence() -> None:
    def named(path: Path) -> bool:
        lines = path.read_text(encoding="utf-8").splitlines()
        first = lines[1] if lines and lines[0].startswith("#!") else "".join(lines[:1])
        return first == "# SPDX-License-Identifier: MIT"

    assert relative([path for path in files("*.py") if not named(path)]) == []


def test_no_file_knows_a_machine() -> None:
    folders = "|".join(["root", "work", "home", "Users", "opt"])
    path = re.compile(rf"(?<![\w/.+#$*-])/(?:{folders})/\w")
    found = []
    for file in files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if path.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """The pure wheel, built from a copy of the project's files."""
    there = tmp_path_factory.mktemp("project")
    for path in files():
        copy = there / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    code = "from setuptools import build_meta; build_meta.build_wheel('out')"
    (there / "out").mkdir()
    env = {**os.environ, "MQTT_REF_COMPILE": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=there, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (there / "out").glob("*.whl")
    assert path.name.endswith("-py3-none-any.whl")
    with ZipFile(path) as content:
        yield content


def test_the_wheel_installs_the_two_packages_and_nothing_else(wheel: ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mqtt_ref", "mqtt_conformance"}


def test_the_wheel_carries_every_file_of_the_packages(wheel: ZipFile) -> None:
    carried = set(wheel.namelist())
    wanted = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in files()
        if path.is_relative_to(folder) and path.suffix != ".md"
    }
    assert {"mqtt_ref/py.typed", "mqtt_conformance/py.typed"} <= wanted
    assert sorted(wanted - carried) == []


def test_the_version_is_the_same_everywhere(wheel: ZipFile) -> None:
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    text = wheel.read(metadata).decode()
    assert f"\nVersion: {mqtt_ref.__version__}\n" in text
    installed = importlib.metadata.version("mqtt_ref")
    assert installed == mqtt_ref.__version__, "another version is installed: install again"


def test_the_form_under_test_is_the_one_asked_for() -> None:
    """Tox asks; elsewhere it is the source, which is never compiled, or what somebody installed."""
    from_source = Path(mqtt_ref.__file__).is_relative_to(PACKAGES["mqtt_ref"])
    assert not (from_source and is_compiled()), "something compiled lies in the source"
    form = os.environ.get("MQTT_REF_FORM")
    if form is not None:
        assert not from_source, "the source shadows the installed wheel"
        assert form == ("compiled" if is_compiled() else "plain")


def between(text: str, marker: str) -> str:
    """What stands between `<!-- marker -->` and `<!-- end of marker -->`."""
    found = re.search(rf"^<!-- {marker} -->$(.*?)^<!-- end of {marker} -->$", text, re.DOTALL | re.MULTILINE)
    assert found, f"README.md has lost its markers: {marker}"
    return found[1]


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """Taken from the README by the line of `.ci/run` that does it, so that the two cannot drift."""
    (line,) = (text for text in (ROOT / ".ci" / "run").read_text().splitlines() if text.startswith("tests=$("))
    if sys.platform == "win32":
        pytest.skip("needs bash")
    done = subprocess.run(
        ["bash", "-euc", f'{line}; printf %s "$tests"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    block = between((ROOT / "README.md").read_text(encoding="utf-8"), "tests")
    (fenced,) = re.findall(r"^```sh\n(.*?)^```$", block, re.DOTALL | re.MULTILINE)
    assert done.stdout.strip() == fenced.strip()
    assert "pytest" in done.stdout


def test_the_readme_lists_the_commands_there_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `mqtt-ref ([\w-]+)", between(text, "commands"), re.MULTILINE)
    assert listed == list(COMMANDS)
    assert set(re.findall(r"mqtt-ref ([a-z][\w-]*)", text)) <= {*COMMANDS}


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in files("*.md"):
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        fragment = page.parent.name == "changes" and page.name != "README.md"
        base = ROOT if fragment else page.parent  # a fragment will be read in CHANGELOG.md
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            if "://" not in target and not (base / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_design_page_is_in_the_index() -> None:
    pages = {path.name for path in files("docs/design/*.md")} - {"README.md"}
    index = (ROOT / "docs" / "design" / "README.md").read_text(encoding="utf-8")
    assert sorted(page for page in pages if f"]({page})" not in index) == []


def test_changelog_fragments_have_a_kind() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        kinds = [row["directory"] for row in tomllib.load(file)["tool"]["towncrier"]["type"]]
    name = re.compile(rf"(?:\d+|\+[\w-]+)\.(?:{'|'.join(kinds)})\.md")
    fragments = [path.name for path in files("changes/*") if path.name != "README.md"]
    assert [fragment for fragment in fragments if not name.fullmatch(fragment)] == []


def test_the_lowest_versions_that_are_tested_are_those_that_are_allowed() -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci" / "lowest.py"], capture_output=True, text=True, check=True)
    assert (ROOT / ".ci" / "lowest.txt").read_text() == done.stdout, "run: python .ci/lowest.py > .ci/lowest.txt"
