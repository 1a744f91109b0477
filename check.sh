#!/usr/bin/env bash
# The whole gate: format, build with warnings as errors, tests (which hold the rules of the code base too). Prints what it does; the first failure ends it.
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

echo "ok"
