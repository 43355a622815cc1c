"""Where a running demo keeps its settings, so that other commands find it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from gateway.errors import ConfigurationFault
from gateway.settings import Settings

FILE: Final = "environment.json"
DOUBLES_URL: Final = "GATEWAY_DEMO_DOUBLES_URL"


def write_environment(data: Path, settings: Settings, doubles_url: str) -> dict[str, str]:
    """Write the variables of a demo into its folder; returns them."""
    variables = {**settings.to_environment(), DOUBLES_URL: doubles_url}
    path = data / FILE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(variables, file, indent=1)
    return variables


def read_environment(data: Path) -> dict[str, str]:
    """The variables of the demo in this folder.

    Raises:
        ConfigurationFault: no demo has been started there.
    """
    try:
        variables = json.loads((data / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationFault(
            f"no demo in {data}: start one with `gateway demo --data {data}`"
        ) from error
    return {str(name): str(value) for name, value in variables.items()}
