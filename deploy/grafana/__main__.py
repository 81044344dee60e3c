"""Writes the dashboard beside this file: `make dashboards`."""

from __future__ import annotations

import sys

from deploy.grafana.dashboard import FILE, rendered

FILE.write_text(rendered(), encoding="utf-8")
sys.stdout.write(f"{FILE.name} written\n")
