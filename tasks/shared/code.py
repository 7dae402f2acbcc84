"""A hash of the code that decides a result: a result of other code is another result."""

import ast
import hashlib
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from vd_core.files import fingerprint_of, sha256_of

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def hash_code(module: str, parts: tuple[str, ...] = ("vd_core",)) -> str:
    """A sha256 of the module called `module` and of all of `parts` that it imports, transitively. Comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for path in sorted(read_closure(ROOT / f"{module.replace('.', '/')}.py", parts)):
        digest.update(f"{path.relative_to(ROOT)}\n{dump(path)}\n".encode())
    return digest.hexdigest()


def read_closure(module: Path, parts: tuple[str, ...]) -> set[Path]:
    """The file of a module, and those of `parts` that it imports by way of this repository's modules."""
    found, waiting = set(), [module]
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found.add(path)
            waiting += [ROOT / f"{name.replace('.', '/')}.py" for name in imported(path)]
    return {p for p in found if p == module or any(p.is_relative_to(ROOT / part) for part in parts)}


@cache
def imported(path: Path) -> set[str]:
    """The dotted names of a module's imports of this repository, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] in ("vd_core", "tasks")}


@cache
def dump(path: Path) -> str:
    """A module's syntax tree as text, without docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def fingerprint_work(module: str, section: BaseModel, inputs: list[Path]) -> str:
    """A sha256 of all that decides what a stage writes: the code of its `module`, its section, and every file under `inputs`."""
    files = {str(path): sha256_of(path) for folder in inputs for path in sorted(folder.rglob("*")) if path.is_file()}
    return fingerprint_of({"code": hash_code(module, ("tasks", "vd_core")), "section": section.model_dump(mode="json"), "files": files}, [])
