"""Ask pip-audit for known weaknesses of the versions in constraints.txt, where it and its service can be had.

Ends with 1 for weaknesses alone. `make check` reports these and goes on: what is published overnight must not
break what was right yesterday; `make audit` fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

LOCK = Path(__file__).parent / "constraints.txt"
_SECONDS = 20.0


def main() -> None:
    if find_spec("pip_audit") is None:
        print("audit: not done; pip-audit is not installed (pip install --group audit)")
        return
    asking = ("--requirement", LOCK, "--no-deps", "--disable-pip", "--format", "json")
    quietly = ("--progress-spinner", "off", "--timeout", "5")
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pip_audit", *asking, *quietly],
            capture_output=True,
            timeout=_SECONDS,
        )
        dependencies = json.loads(ran.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"audit: not done; the service did not answer within {_SECONDS:.0f} s")
        return
    except (ValueError, KeyError):  # it writes its answer only if it has one
        print("audit: not done; the service cannot be reached")
        return
    found = [(one["name"], one["version"], weak) for one in dependencies for weak in one.get("vulns", ())]
    for name, version, weak in found:
        print(f"audit: {name} {version}: {weak['id']}, mended in {', '.join(weak['fix_versions']) or 'none'}")
    if found:
        sys.exit(1)
    print(f"audit: no known weakness in {len(dependencies)} packages")


if __name__ == "__main__":
    main()
