"""Ask for known weaknesses of the locked packages. What gets no answer is skipped, by name, and not failed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
OPTIONS = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json", "--timeout", "5"]
LOCKS = ("requirements/run.txt", "requirements/s3.txt")
PATIENCE = 120  # seconds; a network that swallows packets must not hold up the checks


def ask(lock: str) -> list[dict[str, Any]] | None:
    """Return what is known of each package in a lock file, or None without any answer."""
    question = [str(BIN / "pip-audit"), *OPTIONS, "-r", lock]
    try:
        answer = subprocess.run(question, check=False, capture_output=True, text=True, timeout=PATIENCE)
        found: list[dict[str, Any]] = json.loads(answer.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return found


def main() -> int:
    """Print what was found; return 1 when a package has a known weakness."""
    packages = [found for lock in LOCKS for found in ask(lock) or []]
    if not packages:
        print("skipped: no answer about known weaknesses")
        return 0
    answered = [package for package in packages if "skip_reason" not in package]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    weak = [package for package in answered if package["vulns"]]
    for package in weak:
        ids = ", ".join(weakness["id"] for weakness in package["vulns"])
        print(f"{package['name']} {package['version']}: {ids}", file=sys.stderr)
    print(f"{len(answered)} packages looked up, {len(weak)} with a known weakness")
    if unknown:
        print(f"skipped: no answer about {len(unknown)} packages: {', '.join(unknown)}")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main())
