"""What of csrc/ the C tests do not reach: lines and branches, from gcov's data.

    tools/coverage.py FOLDER     where a build with --coverage was run

Fails if anything is left. What no test can reach is marked in the source, at the end of the line or
alone on the line before,

    default: /* unreachable: the caller has looked at the kind */

and is counted, not measured; a marked line that is reached in full is an error too.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MEASURED = "csrc/"
MARK = re.compile(r"/\* unreachable: .*")


@dataclass
class Line:
    """How often it ran, and each of its branches; in whatever file it was compiled into."""

    count: int = 0
    branches: dict[int, int] = field(default_factory=dict)

    def add(self, data: dict[str, Any]) -> None:
        self.count += data["count"]
        for number, branch in enumerate(data["branches"]):
            self.branches[number] = self.branches.get(number, 0) + branch["count"]

    @property
    def missed(self) -> list[int]:
        return [number for number, count in sorted(self.branches.items()) if count == 0]

    @property
    def is_reached(self) -> bool:
        return self.count > 0 and not self.missed


Lines = dict[str, dict[int, Line]]


def gcov_files(folder: Path) -> Iterator[dict[str, Any]]:
    """What gcov says of each source file, once an object: private headers are in the tests' too."""
    notes = sorted(folder.rglob("*.gcno"))
    if not any(folder.rglob("*.gcda")):
        raise SystemExit(f"coverage.py: no test was run in {folder}")
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", "--hash-filenames", *notes],
            cwd=place,
            check=True,
            capture_output=True,
        )
        for path in Path(place).glob("*.gcov.json.gz"):
            with gzip.open(path) as file:
                content = json.load(file)
            for source in content["files"]:
                source["file"] = str(Path(content["current_working_directory"], source["file"]))
                yield source


def measure(folder: Path) -> Lines:
    lines: Lines = defaultdict(lambda: defaultdict(Line))
    for source in gcov_files(folder):
        path = Path(source["file"]).resolve()
        if not path.is_relative_to(ROOT) or not str(path.relative_to(ROOT)).startswith(MEASURED):
            continue
        for data in source["lines"]:
            lines[str(path.relative_to(ROOT))][data["line_number"]].add(data)
    return lines


def marked(path: str) -> set[int]:
    """The lines that are marked; a mark on a line of its own is for the next."""
    found = set()
    for number, text in enumerate((ROOT / path).read_text().splitlines(), 1):
        mark = MARK.search(text)
        if mark:
            found.add(number + (text.strip() == mark[0]))
    return found


def complaints(path: str, lines: dict[int, Line], marks: set[int]) -> Iterator[str]:
    for number, line in sorted(lines.items()):
        where = f"{path}:{number}:"
        if number in marks:
            if line.is_reached:
                yield f"{where} is marked unreachable, and is reached"
        elif line.count == 0:
            yield f"{where} is not reached"
        elif line.missed:
            numbers = ", ".join(str(number + 1) for number in line.missed)
            yield f"{where} of {len(line.branches)} branches {numbers} not taken"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} % ({part} of {whole})" if whole else "none"


def main() -> int:
    lines = measure(ROOT / sys.argv[1])
    said: list[str] = []
    excused = 0
    counted = []
    for path in sorted(lines):
        marks = marked(path)
        said += complaints(path, lines[path], marks)
        excused += len(marks & set(lines[path]))
        counted += [line for number, line in lines[path].items() if number not in marks]
    print("\n".join(said))
    branches = sum(len(line.branches) for line in counted)
    taken = branches - sum(len(line.missed) for line in counted)
    print(f"lines     {percent(sum(line.count > 0 for line in counted), len(counted))}")
    print(f"branches  {percent(taken, branches)}")
    print(f"marked unreachable: {excused} lines")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
