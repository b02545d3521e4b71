#!/bin/sh
# How long pier-classify-port takes to start, beside `nc -h`, and to answer a million lines.
#
#   scripts/bench classify [BUILD]     BUILD: a release build, build/release by default
#
# The two starts are measured in turns, ROUNDS times, so that a busy machine is unfair to both; the ratio is of
# the medians of the rounds' fastest runs, which other programs disturb least.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
program=${1:-$root/build/release}/pier-classify-port
rounds=${ROUNDS:-7}
nc=$(command -v nc) || { echo "bench: nc is not installed" >&2; exit 2; }
command -v hyperfine >/dev/null || { echo "bench: hyperfine is not installed" >&2; exit 2; }
[ -x "$program" ] || { echo "bench: $program is not built (cmake --preset release && ninja -C build/release)" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

i=0
while [ "$i" -lt "$rounds" ]; do
  i=$((i + 1))
  hyperfine -N -i --warmup 50 --runs 400 --export-json "$work/start.$i" "$program 80" "$nc -h" >/dev/null 2>&1
done
python3 - "$work" <<'PYTHON'
import glob, json, statistics, sys
rounds = [[r["min"] * 1e6 for r in json.load(open(path))["results"]] for path in glob.glob(sys.argv[1] + "/start.*")]
medians = [[statistics.median(r["times"]) * 1e6 for r in json.load(open(path))["results"]]
           for path in glob.glob(sys.argv[1] + "/start.*")]
for name, values in (("fastest", rounds), ("median", medians)):
    ours, theirs = (statistics.median(column) for column in zip(*values))
    print(f"start, {name} run: pier-classify-port 80 {ours:.0f} us, nc -h {theirs:.0f} us, ratio {ours / theirs:.2f}")
PYTHON

python3 -c '
import random
random.seed(6335)
print("\n".join(str(random.randrange(65536)) for _ in range(1000000)))' >"$work/million"
for words in "" "--json" "--compress"; do
  hyperfine --warmup 1 --runs 5 --export-json "$work/million.json" "$program $words <$work/million >/dev/null" \
    >/dev/null 2>&1
  python3 -c '
import json, sys
result = json.load(open(sys.argv[1]))["results"][0]
print("a million lines %-10s %.2f s (fastest %.2f)" % (sys.argv[2], result["median"], result["min"]))' \
    "$work/million.json" "$words"
done
