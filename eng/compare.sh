#!/usr/bin/env bash
# Times one step of every reference workload in the peer and in Native, taking turns in one sitting, and records both.
#   eng/compare.sh PEER_SCRIPT [--seconds S] [--rounds R] [--only LIST] [--out FILE]
# PEER_SCRIPT is a Python program that takes --only, --seconds and --threads and prints a JSON object with an "eager" entry. PYTHON names the
# interpreter (python3 by default), THREADS the number of threads of both sides (2 by default). Before the rounds the peer tries its settings on each
# workload, and keeps the fastest. The record goes to Benchmarks/Results unless --out names a file; one of only some workloads goes nowhere without it.
# Quiet machine only: the load is printed.
set -euo pipefail

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
peer=$1; shift
seconds=3 rounds=5 out="" all="arm-mnist,arm-cifar,srm-mnist,dgm-mnist,meta-mnist,mygo-mnist,resnet-train"
only=$all
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --seconds) seconds=$2 ;;
    --rounds) rounds=$2 ;;
    --only) only=$2 ;;
    --out) out=$(realpath -m "$2") ;;
    *) usage ;;
  esac
  shift 2
done
[ -f "$peer" ] || { echo "compare: $peer is not a file. Name the peer's script." >&2; exit 2; }
peer=$(realpath "$peer")
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} threads=${THREADS:-2}
"$python" -c 'import torch' 2>/dev/null || { echo "compare: $python cannot import torch. Set PYTHON to an interpreter that can." >&2; exit 2; }

dotnet build Benchmarks -c Release --nologo -v quiet
native=(dotnet Benchmarks/bin/Release/net10.0/native.dll)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"

# What the peer's pools read when they are loaded. Its own threads and those of its BLAS fight over the cores, unless the BLAS keeps to one; yet steps of
# large products alone may gain from more, and steps of small ones from a single thread. A BLAS older than the processor takes its AVX2 kernels unless
# told of AVX-512. Which is best differs from workload to workload.
kernels=""
settings=("OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=1")
if grep -qs avx512vl /proc/cpuinfo; then kernels=" OPENBLAS_CORETYPE=SkylakeX"; settings+=("${settings[0]}$kernels"); fi
settings+=("OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads$kernels" "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1$kernels")
declare -A best

run_peer() { # workload, file, seconds, setting
  local own=${4#OMP_NUM_THREADS=}
  # shellcheck disable=SC2086 # A setting is several words.
  env $4 "$python" "$peer" --threads "${own%% *}" --only "$1" --seconds "$3" >"$2" 2>"$work/peer.log" \
    || { echo "compare: the peer failed on $1:" >&2; tail -n 5 "$work/peer.log" >&2; exit 1; }
  "$python" - "$2" "$1" "$4" <<'END'
import json, sys
path, workload, setting = sys.argv[1:]
with open(path) as file:
    run = json.load(file)
run["eager"][workload]["setting"] = setting
with open(path, "w") as file:
    json.dump(run, file)
END
}
fastest_setting() { # workload
  local least="" ms s
  for s in "${settings[@]}"; do
    run_peer "$1" "$work/probe.json" 1 "$s"
    ms=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["eager"][sys.argv[2]]["min_ms"])' "$work/probe.json" "$1")
    if [ -z "$least" ] || awk "BEGIN { exit !($ms < $least) }"; then least=$ms best[$1]=$s; fi
  done
  echo "$1: the peer's best setting is ${best[$1]}, $least ms"
}
run_native() {
  # The check against f64 does not change from round to round; once is enough.
  local check=(); [ "$3" -eq 1 ] || check=(--no-check)
  "${native[@]}" bench steps --device cpu --threads "$threads" --only "$1" --seconds "$seconds" --json "$2" "${check[@]}" >/dev/null
}

for w in ${only//,/ }; do fastest_setting "$w"; done
for ((r = 1; r <= rounds; r++)); do
  for w in ${only//,/ }; do
    # Whoever goes second meets a warmer machine: they take turns at that too.
    if ((r % 2)); then run_peer "$w" "$work/peer-$r-$w.json" "$seconds" "${best[$w]}"; run_native "$w" "$work/native-$r-$w.json" "$r"
    else run_native "$w" "$work/native-$r-$w.json" "$r"; run_peer "$w" "$work/peer-$r-$w.json" "$seconds" "${best[$w]}"; fi
    echo "round $r of $rounds: $w"
  done
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit=$commit-dirty
machine=$(lscpu 2>/dev/null | sed -n 's/^Model name: *//p' | head -n 1)
date=$(date -u +%F)
record=$out
[ -n "$record" ] || [ "$only" != "$all" ] || record=Benchmarks/Results/$date-cpu/steps.json
"${native[@]}" results record --peer "$work"/peer-*.json --native "$work"/native-*.json --date "$date" --commit "$commit" \
  --machine "${machine:-unknown}" --out "${record:-$work/steps.json}"
echo
"${native[@]}" results readme "${record:-$work/steps.json}"
