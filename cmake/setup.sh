# Set-up shared by ./quickstart and ./check: packages, LibTorch, configure. Sourced by bash from the
# repository's root. Everything that is not a distribution's package lies under build/.

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
trap 'printf "\n%s: stopped at line %s of %s: %s\n" "$(basename "$0")" "$LINENO" "${BASH_SOURCE[0]}" "$BASH_COMMAND" >&2' ERR

torch_version=2.11.0
cuda_wheels=13.0.2

build_packages="g++ cmake ninja-build git python3 python3-pip ca-certificates
  nlohmann-json3-dev libboost-program-options-dev libfmt-dev libsqlitecpp-dev libsqlite3-dev
  libxxhash-dev zlib1g-dev libturbojpeg0-dev libpng-dev pkg-config libgtest-dev libgmock-dev libopenmpi-dev
  openmpi-bin dataset-fashion-mnist"
test_packages="shellcheck python3-numpy python3-sklearn python3-libsvm clang clang-format clang-tidy libclang-rt-dev locales
  sqlite3 gnuplot-nox texlive-latex-recommended chromium-headless-shell poppler-utils python3-pandas
  r-cran-rsqlite"
# A Slurm to test with, which only root can start.
[ "$(id -u)" != 0 ] || test_packages="$test_packages slurmctld slurmd slurm-client munge"

# Relative to where the script was called, which is not where it runs.
[ -z "${LIBTORCH_ROOT:-}" ] || LIBTORCH_ROOT=$(cd "${OLDPWD:-.}" && realpath -m "$LIBTORCH_ROOT")
# cmake/Ccache.cmake puts ccache before the compiler itself.
[ -z "${CXX:-}" ] || export CXX="${CXX#ccache }"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Whether as_root will work; sudo may ask for a password where somebody can answer.
may_be_root() {
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo >/dev/null || return 1
  sudo -n true 2>/dev/null && return 0
  [ -t 0 ] && [ -t 2 ] || return 1
  echo "packages are missing; sudo asks for your password to install them:" >&2
  sudo -v
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
  if ! may_be_root; then
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
  local compiler
  read -r compiler _ <<<"${CXX:-g++}"  # options may follow its name
  need_command "$compiler" "g++ 12 or newer"
  need_command git "git"
  need_command python3 "python3 with pip"
  mkdir -p build 2>/dev/null && [ -w build ] || fail "cannot write into $PWD/build; clone into a folder of yours"
  local have
  have=$(cmake --version | awk 'NR==1 {print $3}')
  [ "$(printf '%s\n' 3.25 "$have" | sort -V | head -n 1)" = 3.25 ] || fail "needs cmake 3.25 or newer; this is $have"
  if [[ $("$compiler" --version 2>/dev/null) == *"Free Software Foundation"* ]]; then
    have=$("$compiler" -dumpfullversion -dumpversion)
    [ "${have%%.*}" -ge 12 ] || fail "needs g++ 12 or newer; $compiler is $have: CXX=/path/to/another ./$(basename "$0")"
  fi
}

have_libfuzzer() {
  echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer - -o /dev/null 2>/dev/null
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

# The first CUDA compiler, 12 or newer, of: $CUDACXX, the PATH, a toolkit, the wheels under build/.
find_nvcc() {
  local nvcc release
  for nvcc in "${CUDACXX:-}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc \
    "$PWD"/build/{libtorch-cuda,nvcc}/nvidia/cu*/bin/nvcc; do
    [ -x "$nvcc" ] || continue
    release=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\).*/\1/p')
    [ "${release:-0}" -ge 12 ] || continue
    echo "$nvcc"
    return 0
  done
  return 1
}

nvcc_wheels="cuda-toolkit[nvcc,cccl,crt,nvvm,cudart]==$cuda_wheels"

# A CUDA build compiles kernels of its own, whatever LibTorch it is linked to.
install_nvcc() {
  if ! find_nvcc >/dev/null; then
    say "fetching nvcc $cuda_wheels into build/nvcc, 0.1 GB"
    rm -rf build/nvcc.partial build/nvcc
    fetch_wheels build/nvcc.partial "$nvcc_wheels" || fail "pip could not fetch nvcc; is the network up?"
    mv build/nvcc.partial build/nvcc
  fi
  CUDACXX=$(find_nvcc) || fail "needs nvcc 12 or newer; install a CUDA toolkit, or set CUDACXX=/path/to/nvcc"
  export CUDACXX
}

# fetch_wheels FOLDER WHEEL...
fetch_wheels() {
  local folder=$1
  shift
  python3 -m pip --version >/dev/null 2>&1 || fail "needs pip to fetch $*; install python3-pip"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --no-compile --target "$folder" "$@"
}

# LibTorch from its Python wheel, used as a C++ library: what the CPU needs of it, or with "cuda" all.
install_libtorch() {
  local kind=$1
  install_libtorch_itself "$kind"
  if [ "$kind" = cuda ]; then install_nvcc; fi
}

install_libtorch_itself() {
  local kind=$1 folder=build/libtorch-$1 own
  if [ -n "${LIBTORCH_ROOT:-}" ]; then return 0; fi
  if [ -e "$folder/torch/lib/libtorch_cpu.so" ]; then return 0; fi
  if own=$(python_torch) && [ "$kind" = cpu -o -e "$own/lib/libtorch_cuda.so" ]; then
    say "using the LibTorch of the active Python: $own"
    LIBTORCH_ROOT=$own
    return 0
  fi
  say "fetching LibTorch $torch_version ($kind) into $folder, 0.5 GB or more; LIBTORCH_ROOT=/path/to/torch takes yours"
  rm -rf "$folder.partial" "$folder"
  mkdir -p build
  if [ "$kind" = cuda ]; then
    # In one call: a second one into the same folder would replace the first one's nvidia/.
    local compiler=()
    find_nvcc >/dev/null || compiler=("$nvcc_wheels")
    fetch_wheels "$folder.partial" "torch==$torch_version" "${compiler[@]}" ||
      fail "pip could not fetch torch==$torch_version; is the network up?"
  else
    fetch_wheels "$folder.partial" --no-deps "torch==$torch_version" &&
      fetch_wheels "$folder.partial" "cuda-toolkit[cudart,cupti]==$cuda_wheels" ||
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
