#!/usr/bin/env bash
# Makes .gpu/native-gpu.tar.xz: the tests, the native command and the .NET runtime, for a machine with an NVIDIA driver and no .NET (linux-x64).
#   eng/gpu-bundle.sh [--with FILE]...
# --with adds a file; one that ends in .py is taken as the peer's script (the one of eng/compare.sh). There: unpack it, ./run.sh, fetch the results folder.
# The runtime is this SDK's own, so nothing is downloaded. NVRTC and cuBLAS are that machine's: README says where they are looked for.
set -euo pipefail

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
with=()
while [ $# -gt 0 ]; do
  [ "$1" = --with ] && [ $# -ge 2 ] || usage
  [ -f "$2" ] || { echo "gpu-bundle: $2 is not a file." >&2; exit 2; }
  with+=("$(realpath "$2")")
  shift 2
done
cd "$(dirname "$0")/.."
readonly most_mib=60

[ "$(uname -sm)" = "Linux x86_64" ] || { echo "gpu-bundle: the bundle takes this machine's runtime, and that must be linux-x64; this is $(uname -sm)." >&2; exit 2; }
sdk=$(dirname "$(readlink -f "$(command -v dotnet)")")
version=$(dotnet --list-runtimes | sed -n 's/^Microsoft\.NETCore\.App \(10\.[^ ]*\) .*/\1/p' | sort -V | tail -n 1)
[ -n "$version" ] || { echo "gpu-bundle: 'dotnet --list-runtimes' shows no Microsoft.NETCore.App 10." >&2; exit 2; }

stage=.gpu/native-gpu
rm -rf .gpu
mkdir -p "$stage/dotnet/host/fxr" "$stage/dotnet/shared/Microsoft.NETCore.App" "$stage/with"
dotnet build Native.sln -c Release --nologo -v quiet
dotnet publish tests/Native.Tests -c Release --no-build --nologo -v quiet -o "$stage/app"

# Other systems' native parts, debugging symbols, documentation, and what only an SDK's test host calls.
find "$stage/app/runtimes" -mindepth 1 -maxdepth 1 ! -name linux-x64 ! -name unix -exec rm -rf {} +
rm -rf "$stage"/app/{x86,amd64,arm64,Microsoft.CodeCoverage}
find "$stage/app" \( -name '*.pdb' ! -name 'Native*.pdb' ! -name 'native.pdb' -o -name '*.xml' \) -delete

cp "$sdk/dotnet" "$stage/dotnet/"
cp -r "$sdk/host/fxr/$version" "$stage/dotnet/host/fxr/"
cp -r "$sdk/shared/Microsoft.NETCore.App/$version" "$stage/dotnet/shared/Microsoft.NETCore.App/"
cp eng/gpu-run.sh "$stage/run.sh"
cp eng/peer-ops.py "$stage/"
[ ${#with[@]} -eq 0 ] || cp "${with[@]}" "$stage/with/"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit=$commit-dirty
echo "$commit" >"$stage/COMMIT"

# One runtime for both programs; neither the machine's .NET nor its settings are asked.
wrapper() {
  cat >"$stage/$1" <<END
#!/usr/bin/env bash
here=\$(cd "\$(dirname "\${BASH_SOURCE[0]}")" && pwd)
unset DOTNET_STARTUP_HOOKS
export DOTNET_ROOT="\$here/dotnet" DOTNET_MULTILEVEL_LOOKUP=0 DOTNET_CLI_TELEMETRY_OPTOUT=1
exec "\$here/dotnet/dotnet" "\$here/app/$2" "\$@"
END
  chmod +x "$stage/$1"
}
wrapper native native.dll
wrapper tests Native.Tests.dll
chmod +x "$stage/run.sh"

tar -C .gpu -cf - native-gpu | xz -T0 -6 >.gpu/native-gpu.tar.xz
bytes=$(stat -c %s .gpu/native-gpu.tar.xz)
mib=$(awk "BEGIN { printf \"%.1f\", $bytes / 1048576 }")
echo "gpu-bundle: .gpu/native-gpu.tar.xz, $mib MiB, commit $commit, runtime $version, with ${#with[@]} more file(s)"
if [ "$bytes" -gt $((most_mib << 20)) ]; then
  echo "gpu-bundle: that is more than $most_mib MiB. Leave something out; the largest parts are:" >&2
  du -a "$stage" | sort -rn | sed -n '2,12p' >&2
  exit 1
fi
