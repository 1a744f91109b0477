#!/usr/bin/env bash
# Runs what needs a GPU, from an unpacked bundle of eng/gpu-bundle.sh, and leaves a folder of results.
#   ./run.sh [STAGE]...       all stages in this order without one: machine doctor tests compile sanitizer steps ops peer
# Results go to ./results, and packed, after every stage, to results.tar.gz in $OUT, or here. Every stage runs, whatever became of those before; the last
# lines say what became of each, and the exit code is 0 only when nothing failed. DEVICE (cuda:0), PYTHON (python3, for the peer), SECONDS_EACH (1: time for
# each workload), ONLY (workloads, separated by commas), LIMIT (300: seconds after which a command is stopped).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here" || exit 2
out=$here/results
mkdir -p "$out" "${OUT:-$here}" || exit 2
device=${DEVICE:-cuda:0} python=${PYTHON:-python3} seconds=${SECONDS_EACH:-1}
limit=${LIMIT:-300}
only=${ONLY:-arm-mnist,arm-cifar,srm-mnist,dgm-mnist,meta-mnist,mygo-mnist,resnet-train}
# Compiled kernels, kept for the next run.
export NATIVE_CACHE=${NATIVE_CACHE:-$here/cache}
peer=$(find with -name '*.py' 2>/dev/null | sort | head -n 1)
declare -A verdict
order=()

note() { verdict[$1]=$2; order+=("$1"); echo "== $1: $2"; }
# The first line of a log that sounds like one, else the last.
reason() { { grep -m 1 -aE 'unavailable|FAILED|not an option|Error|ERROR' "$1" || tail -n 1 "$1"; } | cut -c 1-160; }
# run NAME COMMAND...: a log for each, the end of it on the screen, and a verdict.
run() {
  local name=$1 start=$SECONDS code
  shift
  echo "== $name: $*"
  timeout --kill-after=10 "$limit" "$@" >"$out/$name.log" 2>&1
  code=$?
  [ $code -ne 124 ] || echo "run.sh: FAILED, stopped after $limit s" >>"$out/$name.log"
  tail -n 25 "$out/$name.log" | cut -c 1-400
  if [ $code -eq 0 ]; then note "$name" "ok, $((SECONDS - start)) s"; else note "$name" "FAILED with $code, $((SECONDS - start)) s; see $name.log: $(reason "$out/$name.log")"; fi
  return $code
}

stage_machine() {
  { echo "commit $(cat COMMIT)"; date -u; uname -a; lscpu; } >"$out/machine.txt" 2>&1
  if command -v nvidia-smi >/dev/null 2>&1; then run nvidia-smi nvidia-smi -q && cp "$out/nvidia-smi.log" "$out/nvidia-smi.txt"
  else note nvidia-smi "FAILED: it is not on this machine's PATH"; fi
}
# Without --device, which would end it where there is none: it says what is missing.
stage_doctor() { run doctor ./native doctor --libraries; }
stage_tests() { NATIVE_REQUIRE_GPU=1 NATIVE_TEST_GPU=$device run tests ./tests --filter Category=Gpu; }
# The machine's own NVRTC is another than the one the kernels were tested with.
stage_compile() { CI=1 run compile ./tests --filter Category=Nvrtc; }
stage_sanitizer() {
  local tool
  tool=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | tail -n 1)
  [ -n "$tool" ] || { note sanitizer "skipped: there is no compute-sanitizer here"; return; }
  local t
  for t in An_mlp_trains A_convolutional_network_trains A_gradient_penalty_trains Random_bits; do
    NATIVE_REQUIRE_GPU=1 NATIVE_TEST_GPU=$device run "sanitizer-$t" "$tool" --tool memcheck --error-exitcode 99 ./tests --filter "Category=Gpu&FullyQualifiedName~$t"
  done
}
# A process for each workload: an error of the device ends one only.
stage_steps() {
  local w p flag
  for w in ${only//,/ }; do
    for p in f32 tf32; do
      flag=(); [ $p = f32 ] || flag=(--tf32)
      run "steps-$p-$w" ./native bench steps --device "$device" --only "$w" --seconds "$seconds" --graph "${flag[@]}" --json "$out/steps-$p-$w.json"
    done
  done
}
stage_ops() {
  local p flag
  for p in f32 tf32; do
    flag=(); [ $p = f32 ] || flag=(--tf32 --only conv,matmul)
    run "ops-$p" ./native bench ops --device "$device" --seconds 0.05 --graph "${flag[@]}" --json "$out/ops-$p.json"
  done
  run ops-eager ./native bench ops --device "$device" --seconds 0.05 --only recorded,tanh-chain,add-16,matmul-10x,softmax-forward-10x10 --json "$out/ops-eager.json"
}
stage_peer() {
  local w p flag
  if ! "$python" -c 'import torch' 2>/dev/null; then note peer "skipped: $python cannot import torch"; return; fi
  if [ -z "$peer" ]; then note peer-steps "skipped: no script was added to the bundle with --with"
  else
    for w in ${only//,/ }; do
      for p in f32 tf32; do
        flag=(); [ $p = f32 ] || flag=(--tf32)
        # Its standard output is the record.
        run "peer-$p-$w" bash -c '"$@" >"$0"' "$out/peer-$p-$w.json" "$python" "$peer" --device "${device/:*/}" --only "$w" --seconds "$seconds" --graph "${flag[@]}"
      done
    done
  fi
  for p in f32 tf32; do
    [ -f "$out/ops-$p.json" ] || { note "peer-ops-$p" "skipped: the stage ops left no ops-$p.json"; continue; }
    run "peer-ops-$p" "$python" peer-ops.py "$out/ops-$p.json" --device "${device/:*/}" --seconds 0.05 --json "$out/peer-ops-$p.json"
  done
}

stages=("$@")
[ $# -gt 0 ] || stages=(machine doctor tests compile sanitizer steps ops peer)
for s in "${stages[@]}"; do
  declare -F "stage_$s" >/dev/null || { echo "run.sh: '$s' is no stage; there are machine doctor tests compile sanitizer steps ops peer." >&2; exit 2; }
done
failed=0
# What earlier calls with other stages have left stays.
before=$(cat "$out/summary.txt" 2>/dev/null)
summary() {
  local name skipped=0
  failed=0
  for name in "${order[@]}"; do
    printf '%-28s %s\n' "$name" "${verdict[$name]}"
    case ${verdict[$name]} in FAILED*) failed=$((failed + 1)) ;; skipped*) skipped=$((skipped + 1)) ;; esac
  done >"$here/.summary"
  echo "$((${#order[@]} - failed - skipped)) ok, $failed failed, $skipped skipped" >>"$here/.summary"
  { [ -z "$before" ] || echo "$before"; cat "$here/.summary"; } >"$out/summary.txt"
  cp "$out/summary.txt" "${OUT:-$here}/"
  tar -C "$here" -czf "${OUT:-$here}/results.tar.gz" results
}
for s in "${stages[@]}"; do
  "stage_$s"
  summary
done
cat "$here/.summary"
[ $failed -eq 0 ]
