#!/bin/sh
# Backs up at once and then every night, and keeps the newest files.
set -u

while true; do
    if latchkey backup /backups; then
        ls -1 /backups/latchkey-*.tar | head -n -"$LATCHKEY_BACKUPS_KEPT" | xargs -r rm --
    fi
    sleep $(($(date -u -d 'tomorrow 02:17' +%s) - $(date -u +%s)))
done
