#!/usr/bin/env bash
# Installs what the tests of the GPU tiers need on a machine without a GPU: NVRTC (compiles kernels, needs no driver) and g++
# (runs them). Debian and Ubuntu; elsewhere it says what to install. The library itself needs only the .NET SDK.
set -euo pipefail

have_nvrtc() { ldconfig -p 2>/dev/null | grep -q 'libnvrtc\.so'; }
have_gxx() { command -v g++ >/dev/null 2>&1; }

if have_nvrtc && have_gxx; then
  echo "setup: NVRTC and g++ are installed."
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: install NVRTC (CUDA 11.2 or newer) and g++ with this system's package manager; the tests that need them are skipped until then." >&2
  exit 0
fi
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
. /etc/os-release
packages=()
have_gxx || packages+=(g++)
if ! have_nvrtc; then
  if [ "${ID:-}" = debian ]; then
    # NVRTC is in non-free: add the components beside main in the source file that is already there.
    for f in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list; do
      [ -f "$f" ] || continue
      if grep -q '^Components:' "$f"; then
        $sudo sed -i -E '/^Components:/{/contrib/!s/main/main contrib non-free/}' "$f"
      else
        $sudo sed -i -E '/^deb .* main/{/contrib/!s/ main/ main contrib non-free/}' "$f"
      fi
    done
    packages+=(libnvrtc11.2 libnvrtc-builtins11.8)
  else
    packages+=(libnvrtc11.2)
  fi
fi
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${packages[@]}"
echo "setup: installed ${packages[*]}."
