"""What a module of this repository imports of it, transitively, read from the source."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def import_closure(module: Path) -> set[str]:
    """The files, relative to the repository, that importing `module` (relative too) runs, itself included; empty `__init__.py` left out."""
    found, waiting = set(), [module]
    while waiting:
        path = waiting.pop()
        if str(path) in found or not (ROOT / path).is_file() or not (ROOT / path).read_text():
            continue
        found.add(str(path))
        for name in imported_names((ROOT / path).read_text()):
            as_path = Path(name.replace(".", "/"))
            waiting += [as_path.with_suffix(".py"), *(parent / "__init__.py" for parent in [as_path, *as_path.parents])]
    return found


def imported_names(source: str) -> set[str]:
    """The dotted names of all imports of a module, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
