"""The version that a manifest states."""

import json
import tomllib
from pathlib import Path


def version(manifest: Path) -> str | None:
    """The version in a package.json, pyproject.toml or Cargo.toml; None where it states none."""
    if manifest.name == "package.json":
        return json.loads(manifest.read_text()).get("version")
    table = tomllib.loads(manifest.read_text())
    return table.get("project", table.get("package", {})).get("version")
