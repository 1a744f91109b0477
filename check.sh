#!/usr/bin/env bash
# The whole gate: format, build with warnings as errors, tests, size budget. Prints what it does; the first failure ends it.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$1"; }

step "format"
dotnet format whitespace Native.sln --verify-no-changes --no-restore 2>/dev/null || {
  dotnet restore Native.sln >/dev/null
  dotnet format whitespace Native.sln --verify-no-changes || { echo "Run: dotnet format whitespace Native.sln"; exit 1; }
}

step "build"
dotnet build Native.sln -c Release --nologo -v quiet

step "tests"
dotnet test -c Release --no-build --nologo "$@"

step "files over 400 lines (each needs its reason on top)"
git ls-files '*.cs' '*.cu' '*.cuh' | while read -r f; do
  n=$(wc -l <"$f")
  if [ "$n" -gt 400 ]; then echo "$n $f"; fi
done
echo "ok"
