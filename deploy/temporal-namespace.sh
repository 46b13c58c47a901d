#!/bin/sh
# Makes the namespace that Latchkey's workflows live in; safe to run again.
set -eu

temporal operator cluster health
temporal operator namespace describe -n default > /dev/null 2>&1 \
    || temporal operator namespace create -n default --retention 30d
