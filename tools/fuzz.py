"""The harnesses of tests/fuzz: seeds, replay, runs.

    tools/fuzz.py replay FOLDER         all seeds and tests/fuzz/corpus, by the builds there
    tools/fuzz.py run SECONDS [NAMES]   libFuzzer, so long a harness; what it finds stays as files
    tools/fuzz.py minimise [NAMES]      what the runs gathered, into tests/fuzz/corpus

NAMES are harnesses, with commas between; all, if none are named.

The seeds are made from tests/vectors each time; each run begins with them and with the corpus. What
a run gathers is in build/fuzz/gathered/NAME, what it finds in build/fuzz/found/NAME: make a vector
or a test of each find, mend it, and put the file into the corpus.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESSES = sorted(
    path.stem.removeprefix("fuzz_") for path in (ROOT / "tests/fuzz").glob("fuzz_*.c")
)
CORPUS = ROOT / "tests/fuzz/corpus"
WORK = ROOT / "build/fuzz"
JOBS = 2
SEED_MAX = 2048  # bytes of a seed; what is larger shows nothing more
CORPUS_FILES = 120  # a harness, in the repository
INPUT_MAX = 4096
MEMORY_LIMIT = 1024  # MiB
SLOWEST = 10  # seconds for one input
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


# ---- seeds ----


def cases(name: str) -> Iterator[dict[str, str]]:
    """The cases of the vector file, if it is there."""
    path = ROOT / f"tests/vectors/{name}.json"
    if path.exists():
        yield from json.loads(path.read_text())["cases"]


def input_of(case: dict[str, str]) -> bytes:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    times = int(case.get("times", 1))
    text = case.get("head", "") + case.get("text", "") * times + case.get("tail", "")
    return text.encode("utf-8", "surrogatepass")


def texts(name: str, *heads: bytes) -> Iterator[bytes]:
    """Each case, behind each of the heads: the choices that the harness reads first."""
    for case in cases(name):
        for head in heads:
            yield head + input_of(case)


def frame_seeds() -> Iterator[bytes]:
    yield from texts("frame", b"\0", b"\1")
    yield from texts("frame_close", b"\0")


def reader_seeds() -> Iterator[bytes]:
    for case in cases("reader"):
        role = b"\1" if case["role"] == "server" else b"\0"
        yield role + b"\0\0" + input_of(case)


def response_seeds() -> Iterator[bytes]:
    for seed in texts("handshake_response", b"\x08"):
        yield seed.replace(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"ACCEPT")


def credentials_seeds() -> Iterator[bytes]:
    for case in cases("handshake_credentials"):
        line, _, rest = input_of(case).partition(b"\r\n")
        _, _, query = line.partition(b"?")
        names = re.compile(rb"(?i)(authorization|x-api-key|sec-websocket-protocol):")
        lines = [one + b"\r\n" for one in rest.split(b"\r\n") if names.match(one)]
        yield bytes([int(case["sources"])]) + query.split(b" ")[0] + b"\n" + b"".join(lines)


def gateway_seeds() -> Iterator[bytes]:
    yield from texts("gateway_envelope", b"\0")
    for case in cases("gateway_envelope_payloads"):
        kind = case.get("type") or case["reader"]
        yield b'\0{"type":"%s","d":%s}' % (kind.encode(), input_of(case))


def envelope_seeds(protocol: str) -> Callable[[], Iterator[bytes]]:
    return lambda: texts(f"{protocol}_envelope", b"\0")


def zstd_seeds() -> Iterator[bytes]:
    yield from texts("zstd", b"\0\5", b"\4\0")
    for case in cases("json"):
        yield b"\0\x09" + input_of(case)


def link_seeds() -> Iterator[bytes]:
    """Bytes are calls there: a few long sequences, always the same."""
    for number in range(40):
        calls = b"".join(hashlib.sha256(b"%d %d" % (number, i)).digest() for i in range(16))
        yield b"\0\0" + calls


def watch_seeds() -> Iterator[bytes]:
    for number, seed in enumerate(link_seeds()):
        yield bytes([number % 8]) + seed[1:]


def connection_seeds() -> Iterator[bytes]:
    for number, seed in enumerate(link_seeds()):
        yield bytes([number % 10]) + seed[1:]


def snapshot_seeds() -> Iterator[bytes]:
    for number in range(240):
        protocol, cut, piece = number % 4, number // 4 % 4 == 3, number // 16 % 8
        choices = bytes([3 | protocol << 2 | cut << 4 | piece << 5])
        changes = hashlib.sha256(b"%d" % number).digest()[: 3 * (number // 4 % 5)]
        yield choices + changes


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "blobhub_client": link_seeds,
    "blobhub_envelope": envelope_seeds("blobhub"),
    "blobhub_server": link_seeds,
    "connection": connection_seeds,
    "credentials": credentials_seeds,
    "flowlayer_client": link_seeds,
    "flowlayer_envelope": envelope_seeds("flowlayer"),
    "flowlayer_server": link_seeds,
    "frame": frame_seeds,
    "gateway_client": link_seeds,
    "gateway_envelope": gateway_seeds,
    "gateway_server": link_seeds,
    "json": lambda: texts("json", b"\0", b"\5"),
    "messaging_client": link_seeds,
    "messaging_envelope": envelope_seeds("messaging"),
    "messaging_server": link_seeds,
    "query": lambda: texts("handshake_query", b"\0", b"\3"),
    "reader": reader_seeds,
    "request": lambda: texts("handshake_request", b"\0"),
    "response": response_seeds,
    "snapshot": snapshot_seeds,
    "store": link_seeds,
    "utf8": lambda: texts("utf8", b"\0", b"\7"),
    "watch": watch_seeds,
    "zstd": zstd_seeds,
}


def write_seeds(folder: Path, name: str) -> Path:
    folder = folder / "seeds" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for seed in SEEDS[name]():
        if len(seed) <= SEED_MAX:
            (folder / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)
    return folder


# ---- replay ----


def files_of(folder: Path, name: str) -> list[Path]:
    """The corpus, and the seeds, which are not in the repository."""
    folders = [CORPUS / name, write_seeds(folder, name)]
    return [path for folder in folders if folder.exists() for path in sorted(folder.iterdir())]


def replay_one(folder: Path, name: str) -> tuple[int, str]:
    """How many files passed, and what the program said if one did not."""
    files = files_of(folder, name)
    run = subprocess.run(
        [folder / name, *files], cwd=ROOT, capture_output=True, text=True, errors="replace"
    )
    if run.returncode == 0:
        return len(files), ""
    return 0, f"{name}:\n{run.stderr[-8000:]}"


def replay(folder: Path) -> int:
    with ThreadPoolExecutor(JOBS) as pool:
        outcomes = list(pool.map(lambda name: replay_one(folder, name), HARNESSES))
    complaints = [complaint for _, complaint in outcomes if complaint]
    print("\n".join(complaints), end="")
    print(f"{sum(count for count, _ in outcomes)} passed, {len(complaints)} failed")
    return 1 if complaints else 0


# ---- runs ----


def fuzz(name: str, seconds: int) -> str:
    """One harness; what there is to say of it, beginning with FOUND if it found something."""
    gathered, found = WORK / "gathered" / name, WORK / "found" / name
    for folder in (gathered, found, CORPUS / name):
        folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        *(WORK / "build/fuzz" / name, gathered, CORPUS / name, write_seeds(WORK, name)),
        *(f"-max_total_time={seconds}", f"-max_len={INPUT_MAX}", f"-artifact_prefix={found}/"),
        *(f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY_LIMIT}", "-print_final_stats=1"),
    ]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        errors="replace",
    )
    (WORK / f"{name}.log").write_text(run.stderr)
    if run.returncode != 0:
        return f"FOUND  {name}: see {found.relative_to(ROOT)}\n{run.stderr[-4000:]}"
    number = re.search(r"number_of_executed_units: (\d+)", run.stderr)
    covered = re.findall(r"cov: (\d+)", run.stderr)
    return f"ok     {name:20} {int(number[1]) if number else 0:10} runs, {covered[-1]} edges"


def run_all(seconds: int, names: Iterable[str]) -> int:
    failed = 0
    with ThreadPoolExecutor(JOBS) as pool:
        for said in pool.map(lambda name: fuzz(name, seconds), names):
            print(said, flush=True)
            failed += said.startswith("FOUND")
    return 1 if failed else 0


def some_of(paths: list[Path]) -> list[Path]:
    """At most so many, of every size."""
    step = max(1, len(paths) / CORPUS_FILES)
    return [paths[int(i * step)] for i in range(min(len(paths), CORPUS_FILES))]


def minimise(names: Iterable[str]) -> int:
    """Keeps of corpus, seeds and what was gathered a few inputs that reach all that they reach, and
    of these a number."""
    for name in names:
        fresh = WORK / "merged" / name
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        folders = [CORPUS / name, write_seeds(WORK, name), WORK / "gathered" / name]
        subprocess.run(
            [
                *(WORK / "build/fuzz" / name, "-set_cover_merge=1", f"-max_len={SEED_MAX}", fresh),
                *(folder for folder in folders if folder.exists()),
            ],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        kept = some_of(sorted(fresh.iterdir(), key=lambda path: (path.stat().st_size, path.name)))
        shutil.rmtree(CORPUS / name, ignore_errors=True)
        (CORPUS / name).mkdir(parents=True)
        for path in kept:
            shutil.copy(path, CORPUS / name / path.name[:16])
        size = sum(path.stat().st_size for path in kept)
        print(f"{name:20} {len(kept):4} files, {size:7} bytes", flush=True)
    return 0


def named(arguments: list[str]) -> list[str]:
    names = [name for argument in arguments for name in argument.split(",")]
    unknown = sorted(set(names) - set(HARNESSES))
    if unknown:
        raise SystemExit(f"fuzz.py: no such harness: {', '.join(unknown)}")
    return names or HARNESSES


def main() -> int:
    command, *arguments = sys.argv[1:] or [""]
    if command == "replay":
        return replay(Path(arguments[0]).resolve())
    if command == "run":
        return run_all(int(arguments[0]), named(arguments[1:]))
    if command == "minimise":
        return minimise(named(arguments))
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
