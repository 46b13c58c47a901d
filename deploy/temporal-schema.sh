#!/bin/sh
# Brings the schemas of Temporal's two databases to this release; safe to run again.
set -eu

make() {
    temporal-sql-tool --db "$1" setup-schema -v 0.0 || true
    temporal-sql-tool --db "$1" update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

make temporal temporal
make temporal_visibility visibility
