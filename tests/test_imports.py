"""Importing talkvid costs nothing, optional packages stay optional, and each room stands on those below."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "talkvid"
OPTIONAL = ("insightface", "mediapipe", "decord", "ray", "deepspeed", "tensorboard", "gradio")
HEAVY = (*OPTIONAL, "diffusers", "transformers")


def loaded_after(program: str, names: tuple[str, ...]) -> str:
    """Return which of `names` a fresh Python has loaded after running the program."""
    program += f"\nimport sys; print(*[name for name in {names!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.strip().splitlines()[-1] if result.stdout.strip() else ""


def modules() -> list[str]:
    paths = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "weights"]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]
    return sorted(name.removesuffix(".__init__") for name in names)


def test_importing_talkvid_loads_no_torch() -> None:
    assert loaded_after("import talkvid", ("torch", "numpy", "cv2", *HEAVY)) == ""


def test_no_module_imports_an_optional_or_slow_package_at_import_time() -> None:
    program = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in modules())
    assert loaded_after(program, HEAVY) == ""


def test_every_module_has_a_docstring_and_at_most_300_lines() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.lstrip().startswith(('"""', 'r"""')), f"{path} has no docstring"
        assert len(text.splitlines()) <= 300, f"{path} has {len(text.splitlines())} lines"


def test_each_room_stands_only_on_those_below() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stdout[-3000:]
