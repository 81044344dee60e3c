"""Make django-oscar's schema in an empty Postgres database, with the shop's own migrations, and fill it.

    python examples/django-oscar/make_schema.py postgresql://user@host/db --orders 50

Installs the shop into a virtual environment of its own (kept in --venv, else thrown away) and leaves nothing else
behind. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PACKAGES = ("django-oscar==4.2.1", "Django>=5.2,<5.3", "psycopg[binary]>=3.3,<3.4")
SHOP = Path(__file__).parent / "shop"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dsn", help="an empty database: postgresql://user@host:port/name")
    parser.add_argument("--orders", type=int, default=0, help="orders to place with the shop's own code")
    parser.add_argument("--venv", type=Path, help="keep the virtual environment here, and use it when it is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        python = shop_python(arguments.venv or Path(scratch) / "venv")
        environment = {**os.environ, "SHOP_DSN": arguments.dsn, "PYTHONPATH": str(SHOP), "PYTHONDONTWRITEBYTECODE": "1"}
        run = [str(python), "-m", "django"]
        settings = ["--settings", "shop_settings"]
        subprocess.run(
            [*run, "migrate", *settings, "--verbosity", "0", "--skip-checks"], env=environment, cwd=scratch, check=True
        )
        if arguments.orders:
            filling = [str(python), str(SHOP / "fill.py"), str(arguments.orders)]
            subprocess.run(
                filling, env={**environment, "DJANGO_SETTINGS_MODULE": "shop_settings"}, cwd=scratch, check=True
            )
    return 0


def shop_python(folder: Path) -> Path:
    """The interpreter of a virtual environment with the shop in it."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
    return python


if __name__ == "__main__":
    sys.exit(main())
