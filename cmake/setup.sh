# Set-up shared by ./quickstart and ./check: packages, LibTorch, configure. Sourced by bash from the
# repository's root. Everything that is not a distribution's package lies under build/.

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
trap 'printf "\n%s: stopped at line %s of %s: %s\n" "$(basename "$0")" "$LINENO" "${BASH_SOURCE[0]}" "$BASH_COMMAND" >&2' ERR

torch_version=2.11.0
cuda_wheels=13.0.2

build_packages="g++ cmake ninja-build git python3 python3-pip ca-certificates
  nlohmann-json3-dev libboost-program-options-dev libfmt-dev libsqlitecpp-dev libsqlite3-dev
  libxxhash-dev zlib1g-dev libgtest-dev libgmock-dev libopenmpi-dev openmpi-bin dataset-fashion-mnist"
test_packages="python3-numpy python3-sklearn clang-format clang-tidy sqlite3 gnuplot-nox texlive-latex-recommended"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs the Debian packages that are missing, or names them where that is not allowed.
install_packages() {
  command -v dpkg-query >/dev/null || {
    echo "not a Debian system: using the compilers and libraries that are installed" >&2
    return 0
  }
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return 0
  if [ "$(id -u)" != 0 ] && ! { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; then
    echo "neither root nor sudo: going on without these packages; ask for:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    return 0
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  as_root apt-get update -qq || fail "apt-get update failed; is the network up, and are /etc/apt's sources right?"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

need_command() { command -v "$1" >/dev/null || fail "needs $1; install $2"; }

check_tools() {
  need_command cmake "cmake 3.25 or newer"
  need_command ninja "ninja-build"
  need_command "${CXX:-g++}" "g++ 12 or newer"
  need_command git "git"
  need_command python3 "python3 with pip"
  local have
  have=$(cmake --version | awk 'NR==1 {print $3}')
  [ "$(printf '%s\n' 3.25 "$have" | sort -V | head -n 1)" = 3.25 ] || fail "needs cmake 3.25 or newer; this is $have"
}

# True when a GPU's driver is here.
have_gpu() { [ -e /proc/driver/nvidia/version ] || [ -e /dev/nvidia0 ]; }

python_torch() {  # the folder of the active Python's torch, 2.6 or newer
  python3 - <<'PYTHON' 2>/dev/null
import importlib.util, os, sys
spec = importlib.util.find_spec("torch")
if spec is None: sys.exit(1)
folder = os.path.dirname(spec.origin)
version = open(os.path.join(folder, "version.py")).read().split("__version__ = '")[1].split("'")[0]
if tuple(int(part) for part in version.split("+")[0].split(".")[:2]) < (2, 6): sys.exit(1)
print(folder)
PYTHON
}

# LibTorch from its Python wheel, used as a C++ library: what the CPU needs of it, or with "cuda" all.
install_libtorch() {
  local kind=$1 folder=build/libtorch-$1 own
  if [ -n "${LIBTORCH_ROOT:-}" ]; then return 0; fi
  if [ -e "$folder/torch/lib/libtorch_cpu.so" ]; then return 0; fi
  if own=$(python_torch) && [ "$kind" = cpu -o -e "$own/lib/libtorch_cuda.so" ]; then
    say "using the LibTorch of the active Python: $own"
    LIBTORCH_ROOT=$own
    return 0
  fi
  python3 -m pip --version >/dev/null 2>&1 || fail "needs pip to fetch LibTorch; install python3-pip, or set LIBTORCH_ROOT=/path/to/torch"
  say "fetching LibTorch $torch_version ($kind) into $folder, 0.5 GB or more"
  rm -rf "$folder.partial" "$folder"
  mkdir -p build
  local pip=(python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore
             --no-compile --target "$folder.partial")
  if [ "$kind" = cuda ]; then
    # In one call: a second one into the same folder would replace the first one's nvidia/.
    local compiler=()
    command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ] ||
      compiler=("cuda-toolkit[nvcc,cccl,crt,nvvm]==$cuda_wheels")
    "${pip[@]}" "torch==$torch_version" "${compiler[@]}" ||
      fail "pip could not fetch torch==$torch_version; is the network up?"
  else
    "${pip[@]}" --no-deps "torch==$torch_version" &&
      "${pip[@]}" "cuda-toolkit[cudart,cupti]==$cuda_wheels" ||
      fail "pip could not fetch torch==$torch_version; is the network up?"
    # Half a gigabyte that no CPU build reads.
    rm -f "$folder.partial"/torch/lib/libtorch_cuda*.so "$folder.partial"/torch/lib/libtorch_nvshmem.so
  fi
  mv "$folder.partial" "$folder"
}

# configure PRESET [OPTION...]
configure() {
  local preset=$1
  shift
  [ -z "${LIBTORCH_ROOT:-}" ] || set -- "-DLIBTORCH_ROOT=$LIBTORCH_ROOT" "$@"
  mkdir -p build
  cmake --preset "$preset" "$@" >"build/configure-$preset.log" 2>&1 || {
    tail -n 25 "build/configure-$preset.log" >&2
    fail "cmake could not configure; the whole of it is in build/configure-$preset.log"
  }
}

# build PRESET TARGET...
build() {
  local preset=$1
  shift
  cmake --build "build/$preset" --target "$@" || fail "the build of $preset failed; its messages are above"
}
