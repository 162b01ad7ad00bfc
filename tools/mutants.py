"""Plants the bugs of tests/sim/mutants.json, one at a time, and tells in how many worlds the
simulation finds each.

    tools/mutants.py FOLDER WORLDS [NAMES]

FOLDER is a build of CMake's that has kedge-sim; NAMES are mutants, with commas between. A mutant
that can only show in one protocol's worlds is looked for in about so many of those. The file that a
mutant changes is compiled by itself and linked before the library. The last line is `N of N found`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build/mutants"
SECONDS = 600
PROTOCOLS = 5  # of worlds, in turns of chance: the four, and the gateway with a store


class Mutant(NamedTuple):
    name: str
    says: str
    file: str
    find: str
    put: str
    protocol: str = ""  # whose worlds are looked at; none: all

    def source(self) -> str:
        """The changed file. What is to be found must be there exactly once."""
        text = (ROOT / self.file).read_text()
        if text.count(self.find) != 1:
            raise SystemExit(f"{self.name}: {self.file} has its text {text.count(self.find)} times")
        return text.replace(self.find, self.put)


def mutants() -> list[Mutant]:
    return [Mutant(**one) for one in json.loads((ROOT / "tests/sim/mutants.json").read_text())]


def build(mutant: Mutant, folder: Path) -> Path:
    source = WORK / f"{mutant.name}.c"
    source.write_text(mutant.source())
    program = source.with_suffix("")
    objects = sorted(str(path) for path in (folder / "CMakeFiles/kedge-sim.dir").rglob("*.o"))
    includes = [f"-I{ROOT}/include", f"-I{ROOT}/csrc", f"-I{(ROOT / mutant.file).parent}"]
    command = ["cc", "-std=c11", "-O1", "-g", "-w", *includes, str(source), *objects]
    subprocess.run([*command, str(folder / "libkedge.a"), "-lzstd", "-o", str(program)], check=True)
    return program


def broken(mutant: Mutant, folder: Path, worlds: int) -> tuple[int, int]:
    """In how many worlds of how many it is found. What hangs beyond all bounds is found."""
    program = build(mutant, folder)
    which = [str(worlds * PROTOCOLS), "0", mutant.protocol] if mutant.protocol else [str(worlds)]
    try:
        run = subprocess.run(
            [str(program), "count", *which],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, 1
    last = run.stdout.splitlines()[-1]
    match = re.fullmatch(r"(\d+) worlds, \d+ events, (\d+) broken", last)
    if match is None:
        raise SystemExit(f"{mutant.name}: {last}")
    return int(match[2]), int(match[1])


def main() -> int:
    folder, worlds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    names = sys.argv[3].split(",") if len(sys.argv) > 3 and sys.argv[3] else None
    chosen = [mutant for mutant in mutants() if names is None or mutant.name in names]
    WORK.mkdir(parents=True, exist_ok=True)
    found = 0
    for mutant in chosen:
        bad, all_of = broken(mutant, folder, worlds)
        found += bad > 0
        print(f"{mutant.name:26} {bad:6} of {all_of} worlds   {mutant.says}", flush=True)
    print(f"{found} of {len(chosen)} found")
    return 0 if found == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
