"""Known vulnerabilities of the packages in this environment, by pip-audit; needs the network.

    python scripts/audit.py

The exit code is 1 where a package has a known vulnerability, and where the database of the Python
Package Index cannot be reached, which is said in one line.
"""

from __future__ import annotations

import json
import subprocess
import sys

IGNORED: dict[str, str] = {}
"""Vulnerabilities that do not reach humobctl, with the reason."""


def main() -> int:
    """Audit and say what was found."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format", "json"]
    command += ["--progress-spinner", "off", "--timeout", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["nothing said"]
        print(f"pip-audit: no answer of its database: {said[-1][:300]}", file=sys.stderr)
        return 1
    # A mirror without the database answers "not found", which is not "nothing found".
    looked = [package for package in packages if "version" in package]
    if not looked:
        print(f"pip-audit: no answer of its database for {len(packages)} packages", file=sys.stderr)
        return 1
    found = [
        f"{package['name']} {package['version']}: {one['id']}, mended in "
        f"{', '.join(one['fix_versions']) or 'no version yet'}"
        for package in looked
        for one in package.get("vulns", ())
        if one["id"] not in IGNORED
    ]
    print("\n".join(found) or f"{len(looked)} packages, no known vulnerability")
    if unknown := [package["name"] for package in packages if "version" not in package]:
        print(f"not looked up: {', '.join(unknown)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
