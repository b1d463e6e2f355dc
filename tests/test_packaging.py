"""Pins, conda files, Dockerfile, wheel and forms for people keep step with pyproject.toml and the code."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from talkvid import __version__
from talkvid.cli.launch import JOB_EXTRAS, NEWEST, OLDEST
from talkvid.cli.main import VERBS

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PINS = dict(
    re.findall(r"^([\w.-]+)==([^\s#;]+)", (ROOT / "requirements.txt").read_text("utf-8"), flags=re.MULTILINE)
)
CONDA = {
    "environment.yml": {"train", "curation", "eval", "app"},
    "data_pipeline/1_video_rough_segmentation/datapipe.yaml": {"curation"},
    "data_pipeline/3_head_detail_filtering/env_head.yml": {"curation", "face"},
}
"""Conda file -> the extras it promises."""
WITHOUT_PIN = {"mediapipe"}
"""Stated exactly in pyproject.toml."""
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
DOCKER = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def lines_of(group: str) -> list[Requirement]:
    lines = PROJECT["dependencies"] if group == "" else EXTRAS[group]
    return [one for one in map(Requirement, lines) if one.name != "talkvid"]


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def instructions(text: str) -> list[tuple[str, str]]:
    """Return (word, rest) of every instruction of a Dockerfile, lines joined and comments left out."""
    plain = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in plain.splitlines() if line.strip()]


@pytest.mark.parametrize("group", ["", *EXTRAS])
def test_every_requirement_has_a_pin_in_its_range(group: str) -> None:
    for wanted in lines_of(group):
        if canonicalize_name(wanted.name) in WITHOUT_PIN:
            assert str(wanted.specifier).startswith("==")
            continue
        assert wanted.name in PINS, f"requirements.txt lacks {wanted.name} of extra {group!r}"
        assert wanted.specifier.contains(PINS[wanted.name]), f"{wanted} against {PINS[wanted.name]}"


def test_no_pin_contradicts_a_requirement_that_is_exact() -> None:
    for group in ["", *EXTRAS]:
        for wanted in lines_of(group):
            assert wanted.name not in PINS or wanted.specifier.contains(PINS[wanted.name])


def test_no_package_is_pinned_twice() -> None:
    names = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text("utf-8"), flags=re.MULTILINE)
    assert len(names) == len(set(map(canonicalize_name, names))) > 30


def test_the_supported_pythons_are_the_same_everywhere() -> None:
    told = SpecifierSet(PROJECT["requires-python"])
    low, high = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
    after = f"3.{NEWEST[1] + 1}"
    assert low in told and high in told and after not in told and f"3.{OLDEST[1] - 1}" not in told
    matrix = read_yaml(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == [low, high]
    default = next(rest for word, rest in instructions(DOCKER) if word == "ARG" and rest.startswith("PYTHON"))
    assert default.partition("=")[2] in told


@pytest.mark.parametrize("name", CONDA)
def test_a_conda_file_takes_python_and_this_project_with_its_extras(name: str) -> None:
    found = read_yaml(ROOT / name)
    assert set(found) == {"name", "channels", "dependencies"} and found["channels"] == ["conda-forge"]
    *conda, pip = found["dependencies"]
    assert [one.partition("=")[0] for one in conda] == ["python", "pip"]
    assert conda[0].partition("=")[2] in SpecifierSet(PROJECT["requires-python"])
    *options, package = pip["pip"]
    path, extras = re.fullmatch(r"-e ([./]+)\[([\w,-]+)\]", package).groups()  # type: ignore[union-attr]
    assert ((ROOT / name).parent / path).resolve() == ROOT
    assert set(extras.split(",")) == CONDA[name] <= set(EXTRAS)
    for option in options:
        assert option == "-c requirements.txt" and ((ROOT / name).parent / "requirements.txt").is_file()


def test_no_conda_file_is_forgotten_here() -> None:
    found = [path for path in [*ROOT.glob("*.y*ml"), *(ROOT / "data_pipeline").rglob("*.y*ml")]]
    environments = [path for path in found if "channels" in (read_yaml(path) or {})]
    assert sorted(str(path.relative_to(ROOT)) for path in environments) == sorted(CONDA)


def test_the_root_environment_holds_what_every_job_needs() -> None:
    needed = {extra for job, extras in JOB_EXTRAS.items() if job != "test" for extra in extras}
    assert needed <= CONDA["environment.yml"]


def test_the_image_copies_what_exists_and_what_is_let_in() -> None:
    let_in = [
        line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    copied = [shlex.split(rest)[:-1] for word, rest in instructions(DOCKER) if word == "COPY"]
    paths = [path for words in copied for path in words]
    assert len(paths) > 6
    for path in paths:
        assert (ROOT / path).exists(), path
        assert path.split("/")[0] in let_in, path
    assert all((ROOT / name).exists() for name in let_in)


def test_the_image_runs_without_root_and_holds_no_models_and_no_secrets() -> None:
    words = instructions(DOCKER)
    users = [rest for word, rest in words if word == "USER"]
    assert users == ["1000:1000"] and words.index(("USER", users[0])) < len(words) - 4
    volumes = json.loads(next(rest for word, rest in words if word == "VOLUME"))
    assert "/srv/talkvid/model_ckpts" in volumes
    assert not re.search(r"token|password|secret|api_key", DOCKER, flags=re.IGNORECASE)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*" and not any("model_ckpts" in line for line in ignored)


def test_the_image_installs_extras_that_exist_and_serves_the_page() -> None:
    arguments = dict(rest.split("=") for word, rest in instructions(DOCKER) if word == "ARG")
    assert set(arguments["EXTRAS"].split(",")) <= set(EXTRAS) and arguments["DEVICE"] == "cpu"
    entry = json.loads(next(rest for word, rest in instructions(DOCKER) if word == "ENTRYPOINT"))
    command = json.loads(next(rest for word, rest in instructions(DOCKER) if word == "CMD"))
    assert entry == ["talkvid"] and command[0] in VERBS
    check = next(rest for word, rest in instructions(DOCKER) if word == "HEALTHCHECK")
    port = next(rest for word, rest in instructions(DOCKER) if word == "EXPOSE")
    assert f"127.0.0.1:{port}/" in check
    compile(json.loads(check[check.index("[") :])[2], "healthcheck", "exec")


def test_the_page_on_docker_names_verbs_and_arguments_that_exist() -> None:
    page = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
    verbs = re.findall(r"^docker run .*? talkvid(?::gpu)? (\w+)", page, flags=re.MULTILINE)
    assert len(verbs) >= 4 and set(verbs) <= set(VERBS)
    arguments = {rest.split("=")[0] for word, rest in instructions(DOCKER) if word == "ARG"}
    assert set(re.findall(r"^\| `([A-Z]+)` \|", page, flags=re.MULTILINE)) == arguments
    assert set(re.findall(r"--build-arg (\w+)=", page)) <= arguments


def test_the_wheel_takes_every_file_that_is_no_code() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    package = ROOT / "src" / "talkvid"
    taken = {path for pattern in settings["package-data"]["talkvid"] for path in package.glob(pattern)}
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert len(others) > 10 and others <= taken, others - taken


def test_the_citation_names_this_work_and_the_one_it_implements() -> None:
    found = read_yaml(ROOT / "CITATION.cff")
    assert found["cff-version"] == "1.2.0" and found["version"] == PROJECT["version"] == __version__
    assert found["license"] == PROJECT["license"] and {"message", "title", "authors"} <= set(found)
    (paper,) = found["references"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    bibtex = re.search(r"author=\{([^}]+)\}", readme)
    assert bibtex is not None
    authors = [f"{one['family-names']}, {one['given-names']}" for one in paper["authors"]]
    assert bibtex.group(1).split(" and ") == authors and paper["title"] in readme


def test_the_changelog_tells_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text and PROJECT["version"] in text
    assert set(re.findall(r"^### (.*)$", text, flags=re.MULTILINE)) <= {
        "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security",
    }  # fmt: skip
    assert Version(PROJECT["version"]) == Version(__version__)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_for_issues_is_one_that_github_takes(path: Path) -> None:
    found = read_yaml(path)
    if path.name == "config.yml":
        assert set(found) == {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(found) <= {"name", "description", "body", "labels"}
    ids = [one["id"] for one in found["body"]]
    assert len(ids) == len(set(ids)) and ids
    for one in found["body"]:
        assert one["type"] in ("textarea", "input", "checkboxes", "dropdown")
        assert one["attributes"]["label"]
        assert set(one) <= {"type", "id", "attributes", "validations"}


@pytest.mark.parametrize(
    "name",
    ["SECURITY.md", "CHANGELOG.md", "docs/doctor.md", "docs/docker.md", ".github/pull_request_template.md"]
    + [str(path.relative_to(ROOT)) for path in FORMS],
)
def test_paths_verbs_and_targets_that_a_page_names_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for path in re.findall(r"(?:src|docs|scripts|tests|data_pipeline|test_samples)/[\w./-]*\w", text):
        assert (ROOT / path).exists(), path
    for verb in re.findall(
        r"(?<![\w/-])talkvid ([a-z]+)", "\n".join(re.findall(r"`[^`]+`|^talkvid.*$", text, re.M))
    ):
        assert verb in VERBS, verb
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", text):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_hooks_and_the_pins_name_one_version_of_ruff() -> None:
    hooks = read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    ruff = next(one for one in hooks if one["repo"].endswith("ruff-pre-commit"))
    assert ruff["rev"] == f"v{PINS['ruff']}"


def test_the_workflow_runs_the_two_jobs_with_commands_that_exist() -> None:
    jobs = read_yaml(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    assert set(jobs) == {"check", "test"}
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"make check", ".ci/run"} <= set(runs)
    for line in runs:
        target = line.split()[1] if line.startswith("make ") else ""
        assert re.search(rf"^{target}:", makefile, flags=re.M) if target else (ROOT / line).is_file()
