"""How much memory something takes."""

import json
import subprocess
import sys
from typing import Any

MEASURE = """
import json
from pathlib import Path
{imports}
from vd_core.studies.timing import peak_megabytes
peak = lambda: peak_megabytes(False)
before = peak()
result = {expression}
print(json.dumps([result, peak() - before]))
"""


def peak_of(expression: str, imports: str) -> tuple[Any, float]:
    """What `expression` gives in a process of its own, and by how many MB it raised that process's peak."""
    code = MEASURE.format(imports=imports, expression=expression)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return tuple(json.loads(done.stdout))
