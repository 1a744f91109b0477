#!/usr/bin/env bash
# Times one step of every reference workload in the peer and in Native, taking turns in one sitting, and records both.
#   eng/compare.sh PEER_SCRIPT [--seconds S] [--rounds R] [--only LIST]
# PEER_SCRIPT is a Python program that takes --only, --seconds and --threads and prints a JSON object with an "eager" entry. PYTHON names the
# interpreter (python3 by default), THREADS the number of threads of both sides (2 by default). Quiet machine only: the load is printed.
set -euo pipefail

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
peer=$1; shift
seconds=3 rounds=5 only="arm-mnist,arm-cifar,srm-mnist,dgm-mnist,meta-mnist,mygo-mnist,resnet-train"
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --seconds) seconds=$2 ;;
    --rounds) rounds=$2 ;;
    --only) only=$2 ;;
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

run_peer() {
  # Two thread pools fight over the cores unless OpenBLAS keeps to one: this is the peer's best setting.
  OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=1 "$python" "$peer" --threads "$threads" --only "$1" --seconds "$seconds" >"$2" 2>/dev/null \
    || { echo "compare: the peer failed on $1" >&2; exit 1; }
}
run_native() {
  # The check against f64 does not change from round to round; once is enough.
  local check=(); [ "$3" -eq 1 ] || check=(--no-check)
  "${native[@]}" bench steps --device cpu --threads "$threads" --only "$1" --seconds "$seconds" --json "$2" "${check[@]}" >/dev/null
}

for ((r = 1; r <= rounds; r++)); do
  for w in ${only//,/ }; do
    # Whoever goes second meets a warmer machine: they take turns at that too.
    if ((r % 2)); then run_peer "$w" "$work/peer-$r-$w.json"; run_native "$w" "$work/native-$r-$w.json" "$r"
    else run_native "$w" "$work/native-$r-$w.json" "$r"; run_peer "$w" "$work/peer-$r-$w.json"; fi
    echo "round $r of $rounds: $w"
  done
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit=$commit-dirty
machine=$(lscpu 2>/dev/null | sed -n 's/^Model name: *//p' | head -n 1)
date=$(date -u +%F)
"${native[@]}" results record --peer "$work"/peer-*.json --native "$work"/native-*.json --date "$date" --commit "$commit" \
  --machine "${machine:-unknown}" --out "Benchmarks/Results/$date-cpu/steps.json"
echo
"${native[@]}" results readme "Benchmarks/Results/$date-cpu/steps.json"
