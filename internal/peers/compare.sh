#!/bin/sh
# Measures mailhaul beside its floor and beside what people use, as far as it is installed, and says where the tables
# lie. Needs Go and Dovecot, and takes about ten minutes for each of the -runs (3); -scale 0.05 shows in one whether all is there.
#
#   internal/peers/compare.sh [-only REGEXP] [-runs N] [-scale SHARE] [-limit 4m]
#
# Servers and targets lie in memory (/dev/shm, where there is one, needing about 3 GB), and what is to be synced in DISK,
# a directory on a real disk (the default is bin/compare, where the tables are written too).
# Debian packages of what it is measured beside: mpop isync interimap getmail6 fetchmail offlineimap3
set -eu
cd "$(dirname "$0")/../.."

results=$PWD/bin/compare
mkdir -p "$results"
memory=${TMPDIR:-/tmp}
if [ -d /dev/shm ] && [ -w /dev/shm ]; then memory=/dev/shm; fi
TMPDIR=$(mktemp -d "$memory/mailhaul-compare-XXXXXX")
trap 'rm -rf "$TMPDIR" "${DISK:-$results}"/peers-*' EXIT
trap 'exit 130' INT TERM
chmod 755 "$TMPDIR"

go build -o "$results/mailhaul" ./cmd/mailhaul
go test -c -o "$results/peers.test" ./internal/peers
export TMPDIR
cd internal/peers
"$results/peers.test" -test.run '^$' -test.bench '^BenchmarkCompare$' -test.benchtime 1x -test.timeout 0 \
	-compare -mailhaul "$results/mailhaul" -disk "${DISK:-$results}" -into "$results" "$@"
echo "the tables are in $results/table.md, every run in $results/runs.jsonl"
