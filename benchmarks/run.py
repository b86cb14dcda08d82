"""Run every benchmark in this folder, or the ones named: `python benchmarks/run.py [NAME ...]`.

Each benchmark is a program of its own that prints one JSON line last. This one runs them in turn,
shows what they print, and ends with their JSON lines together.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run the benchmarks and return 0, 2 for an unknown name, 1 if one failed."""
    known = sorted(path.stem for path in HERE.glob("*.py") if path != Path(__file__).resolve())
    if unknown := [name for name in names if name not in known]:
        print(
            f"no benchmark called {', '.join(unknown)}; there are {', '.join(known)}",
            file=sys.stderr,
        )
        return 2
    lines, failed = [], []
    for name in names or known:
        print(f"== {name}", file=sys.stderr, flush=True)
        last_line, exit_code = run_one(HERE / f"{name}.py")
        lines.append(last_line)
        if exit_code:
            failed.append(name)
    if len(lines) > 1:
        print("== all results", file=sys.stderr, flush=True)
        print("\n".join(lines))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_one(program: Path) -> tuple[str, int]:
    """Run one benchmark, passing its output through; return its last line and exit code."""
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    last_line = ""
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        last_line = line.strip() or last_line
    return last_line, process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
