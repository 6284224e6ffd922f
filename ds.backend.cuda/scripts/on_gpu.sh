#!/bin/sh
# Carries ds to a machine that has a GPU, CUDA's libraries and PyTorch but no JDK and no network, and checks it there.
#
#   on_gpu.sh bundle FILE.tar.xz              here, after ./mvnw package: a Java runtime, the jars, the tests, a reference folder
#   on_gpu.sh check FILE.tar.xz OUT [STAGE…]  there: unpacks beside the file, runs stages one after the other, whatever becomes of each
#   on_gpu.sh rehearse FILE.tar.xz OUT [STAGE…]  here, on the emulated device and with tiny sizes, so that no typo costs device time
#
# OUT gets three files: summary.txt (stage, exit status, seconds), results.txt, and all.tar.gz with what each stage printed and measured; they
# are there after every stage. A stage has so many seconds at most, and all together DS_GPU_SECONDS (560): where time is lent, give the second
# call what is left of it, less half a minute. What is beside FILE stays for the second call, whose results are those of both. Stages, in the
# order of their use; `first` and `second` stand for the halves of them, for two calls:
#
#   info            20  what is there: ds info, nvidia-smi, PyTorch
#   contract       100  the contract suite of tensor backends
#   wgmma           30  attention's part of it by warpgroups, on sm_90; the benchmarks behind it take these if it passes
#   training        80  training on cuda and nccl: the reference's losses, determinism, offload with ratio; NCCL's operations on one rank
#   check           40  `ds check` of the reference folder in fp32 and bf16, against PyTorch's numbers
#   bench124        60  GPT-2 124M, bf16, 1024 tokens: tokens/s, MFU        torch124   120  the same in PyTorch, compiled
#   determinism     60  the same 13 steps twice: the same losses and norms, bit for bit
#   products        50  the 124M step with the fastest of 8 algorithms for each product, measured in its first step, to compare
#   breakdown       90  kernel table of GPT-2 124M: roofline of each kernel
#   bench1558       90  GPT-2 1558M                                         torch1558  150  the same in PyTorch, compiled block by block
#   plan17b         30  the plan of Turing-NLG 17B for this GPU and host    train17b   240  some of its steps, with the states that the plan chose
#   epilogue        60  the 124M step without cuBLASLt's GELU epilogues, to compare
#   warps           60  the 124M step with attention by warps, to compare
#
# The machine brings libcuda, libnvrtc, libcublasLt and libnccl of CUDA 12 or 13; DS_CUDA_LIBRARIES names folders beyond the usual ones.
# Where it names one with NVRTC 13.0 at `bundle`, kernels for sm_90 are compiled here, and not there if the machine has the same version.
# DS_GPU_HOST_GIB says what the machine's host has for plan17b, where its memory grows as it is used and the system tells less.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
FIRST="info contract wgmma training check bench124 torch124 determinism products"
SECOND="wgmma breakdown bench1558 torch1558 plan17b train17b epilogue warps"

# ---- here -----------------------------------------------------------------------------------------------------------------------------

# Jars are stored without compression, so that xz sees what is in them.
store() {
  unpacked=$(mktemp -d)
  (cd "$unpacked" && "$JAVA_HOME/bin/jar" --extract --file "$1")
  "$JAVA_HOME/bin/jar" --create --no-compress --file "$2" --manifest "$unpacked/META-INF/MANIFEST.MF" -C "$unpacked" .
  rm -rf "$unpacked"
}

bundle() {
  root=$(cd "$here/../.." && pwd)
  . "$root/.mvn/jdk25.sh"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  "$JAVA_HOME/bin/jlink" --add-modules java.se,jdk.incubator.vector,jdk.unsupported,jdk.management,jdk.jfr,jdk.zipfs \
    --compress zip-0 --strip-debug --no-header-files --no-man-pages --output "$work/ds/java"
  mkdir -p "$work/ds/lib" "$work/ds/test"
  for jar in "$root"/ds.cli/target/lib/*.jar; do
    store "$jar" "$work/ds/lib/$(basename "$jar")"
  done
  cp "$root/ds.cli/target/lib/jvm.options" "$work/ds/lib"
  cp -R "$root/ds.backend.cuda/target/test-classes" "$work/ds/test/cuda"
  cp -R "$root/ds.comm.nccl/target/test-classes" "$work/ds/test/nccl"
  # Tests run from the class path, where no module's descriptor names its providers.
  mkdir -p "$work/ds/test/nccl/META-INF/services"
  echo ds.backend.cuda.CudaBackendProvider >"$work/ds/test/nccl/META-INF/services/ds.api.spi.TensorBackendProvider"
  cp "$root"/ds.tck/target/ds.tck-*.jar "$work/ds/test"
  version=$(sed -n 's|.*<junit.version>\(.*\)</junit.version>.*|\1|p' "$root/pom.xml")
  (cd "$root" && ./mvnw -q dependency:copy "-Dartifact=org.junit.platform:junit-platform-console-standalone:$version" \
    "-DoutputDirectory=$work/ds/test")
  "$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED -cp "$work/ds/test/cuda:$work/ds/lib/*" ds.backend.cuda.launch.CompileKernels \
    "$work/ds/cache/ds/kernels" sm_90 || echo "on_gpu.sh: no kernels are compiled here; the machine will do it" >&2
  cp -R "$root/ds.models.gpt/src/test/resources/gpt2-tiny" "$work/ds/reference"
  cp "$here/on_gpu.sh" "$here/gpu_summary.py" "$root/ds.bench/scripts/pytorch_gpu_step.py" "$work/ds"
  tar -C "$work" -cf - ds | xz -T0 -9 >"$1"
  bytes=$(wc -c <"$1")
  echo "$1: $bytes bytes"
  [ "$bytes" -lt 60000000 ] || echo "on_gpu.sh: more than 60 MB: 64 MiB is what may be carried" >&2
}

# ---- there ----------------------------------------------------------------------------------------------------------------------------

unpack() {
  folder=$(dirname "$1")/on_gpu
  sum=$(cksum <"$1") # not its time: a second call brings the same file anew
  if [ "$sum" != "$(cat "$folder/unpacked" 2>/dev/null)" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    # tar needs xz for it, which not every machine has; Python brings its own.
    tar -C "$folder" --no-same-owner -xJf "$1" || python3 -c 'import sys, tarfile
tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$folder"
    echo "$sum" >"$folder/unpacked"
  fi
  here=$(cd "$folder/ds" && pwd)
}

# wgmma_passed RESULTS: whether attention by warpgroups has passed its part of the contract here.
wgmma_passed() {
  grep -q '^wgmma status 0 ' "$1/summary.txt" 2>/dev/null
}

# What has been measured so far, in three files: lent machines give few files back.
hand_over() {
  python3 "$here/gpu_summary.py" "$results" >"$results/results.txt" 2>&1 || true
  cp "$results/summary.txt" "$results/results.txt" "$out"
  tar -C "$results" -czf "$out/all.tar.gz" .
}

# check FILE OUT STAGES: every stage in a process of its own, ended when its time is over.
check() {
  began=$(date +%s)
  unpack "$1"
  mkdir -p "$2" "$here/../results"
  out=$(cd "$2" && pwd)
  results=$(cd "$here/../results" && pwd)
  shift 2
  stages=
  for name in ${*:-first second}; do
    case $name in
    first) stages="$stages $FIRST" ;;
    second) stages="$stages $SECOND" ;;
    *) stages="$stages $name" ;;
    esac
  done
  for name in $stages; do
    [ "$name" != wgmma ] || ! wgmma_passed "$results" || continue # in the first call
    seconds=$(sed -n "s/^#.* $name  *\([0-9][0-9]*\)  .*/\1/p" "$here/on_gpu.sh")
    now=$(date +%s)
    left=$((${DS_GPU_SECONDS:-560} - now + began))
    if [ -z "$seconds" ] || [ "$left" -lt 10 ]; then
      echo "$name not run: ${seconds:+no time left}${seconds:-no such stage}" | tee -a "$results/summary.txt"
      continue
    fi
    [ -z "${DS_GPU_REHEARSAL:-}" ] || seconds=$((seconds * 3)) # the emulated device is slow, and builds may run beside it
    [ "$seconds" -le "$left" ] || seconds=$left
    status=0
    DS_GPU_OUT=$results timeout -k 5 "$seconds" sh "$here/on_gpu.sh" stage "$name" >"$results/$name.txt" 2>&1 || status=$?
    echo "$name status $status in $(($(date +%s) - now)) s of $seconds" | tee -a "$results/summary.txt"
    [ "$status" -eq 0 ] || tail -n 15 "$results/$name.txt" | sed 's/^/    /'
    hand_over
  done
  hand_over
  cat "$out/results.txt"
}

ds() {
  DS_COLUMNS=100 "$here/java/bin/java" "@$here/lib/jvm.options" -Xmx4g "-Dorg.bytedeco.javacpp.cachedir=$here/cache/native" \
    -p "$here/lib" -m ds.cli/ds.cli.Main "$@"
}

# Classes of tests, of one module's folder: junit FOLDER LEAST CLASSES. Where they find no device they are skipped, and none fails: so many
# have to succeed.
junit() {
  folder=$1 least=$2
  shift 2
  status=0
  "$here/java/bin/java" --enable-native-access=ALL-UNNAMED -cp "$here/test/$folder:$here/test/*:$here/lib/*" \
    org.junit.platform.console.ConsoleLauncher execute --disable-banner --disable-ansi-colors --details=summary "$@" \
    >"$DS_GPU_OUT/junit-$folder.txt" 2>&1 || status=$?
  cat "$DS_GPU_OUT/junit-$folder.txt"
  successful=$(sed -n 's/^\[ *\([0-9][0-9]*\) tests successful.*/\1/p' "$DS_GPU_OUT/junit-$folder.txt")
  if [ "$status" -eq 0 ] && [ "${successful:-0}" -lt "$least" ]; then
    echo "only ${successful:-0} tests were run: is the device seen? See stage info"
    status=1
  fi
  return $status
}

# bench NAME MODEL MICRO_BATCH [OPTIONS]: steps on the GPU, as rehearsed or in full.
bench() {
  name=$1 model=$2 sequences=$3
  shift 3
  if [ -n "${DS_GPU_REHEARSAL:-}" ]; then
    set -- --layers 2 --channels 64 --heads 1 --seq 64 --vocabulary 128 --micro-batch 2 --steps 2 "$@"
  else
    set -- --seq 1024 --vocabulary "${VOCABULARY:-50304}" --micro-batch "$sequences" --steps "${STEPS:-10}" "$@"
  fi
  set -- --backend cuda --dtype bf16 --model "$model" --output "$DS_GPU_OUT/$name.json" "$@"
  status=0
  ds bench step --communicator nccl "$@" >"$DS_GPU_OUT/$name.log" 2>&1 || status=$?
  cat "$DS_GPU_OUT/$name.log"
  if [ "$status" -ne 0 ] && grep -q NCCL "$DS_GPU_OUT/$name.log"; then # one rank can do without it
    echo "again, with communicator tcp"
    status=0
    ds bench step --communicator tcp "$@" || status=$?
  fi
  return $status
}

# Keys of a benchmark, with what has been found to work: options [OPTION].
options() {
  wgmma=false
  ! wgmma_passed "$DS_GPU_OUT" || wgmma=true
  printf '{"ds": {"backend_options": {"wgmma_attention": %s%s}}}' $wgmma "${1:+, $1}"
}

torch() {
  name=$1 model=$2 sequences=$3 compile=$4
  set -- --model "$model"
  if [ -n "${DS_GPU_REHEARSAL:-}" ]; then
    set -- "$@" --layers 2 --channels 64 --heads 1 --seq 64 --vocabulary 128 --micro-batch 2 --steps 2 --compile no --device cpu
  else
    set -- "$@" --seq 1024 --vocabulary 50304 --micro-batch "$sequences" --steps 10 --compile "$compile"
  fi
  status=0
  TORCHINDUCTOR_COMPILE_THREADS=$(nproc) TORCHINDUCTOR_CACHE_DIR=$here/cache/torch python3 "$here/pytorch_gpu_step.py" "$@" \
    >"$DS_GPU_OUT/$name.json" || status=$?
  cat "$DS_GPU_OUT/$name.json"
  return $status
}

# What this GPU has, less what its context and cuBLASLt take; what the host has, less what the system takes.
device_bytes() {
  if [ -n "${DS_GPU_REHEARSAL:-}" ]; then
    echo 151397597184
  else
    nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits -i 0 | awk '{printf "%.0f", ($1 - 3072) * 1048576}'
  fi
}

plan17b() {
  host=$(awk '/MemAvailable/ {printf "%.0f", $2 * 1024 * 0.94}' /proc/meminfo)
  [ -z "${DS_GPU_HOST_GIB:-}" ] || host=$((DS_GPU_HOST_GIB << 30))
  [ -z "${DS_GPU_REHEARSAL:-}" ] || host=128849018880
  cat >"$DS_GPU_OUT/plan17b_config.json" <<JSON
{ "train_micro_batch_size_per_gpu": 1, "bf16": { "enabled": true }, "zero_optimization": { "stage": 1 },
  "ds": { "backend": "cuda", "communicator": "nccl", "memory_limit": "$((host / 1048576))MiB", "checkpoint_every": 1,
          "checkpoint": { "asynchronous": false },
          "backend_options": { "memory_limit_bytes": $(device_bytes) }, "model": { "preset": "turing-nlg-17b" },
          "data": { "text": [ "$here/on_gpu.sh" ], "tokenizer": "gpt2" } } }
JSON
  ds plan --config "$DS_GPU_OUT/plan17b_config.json"
  ds plan --config "$DS_GPU_OUT/plan17b_config.json" --json >"$DS_GPU_OUT/plan17b.json"
}

# With the first states of the plan, which are the most exact that fit.
train17b() {
  [ -e "$DS_GPU_OUT/plan17b.json" ] || plan17b
  keys=$(python3 "$here/gpu_summary.py" --chosen "$DS_GPU_OUT/plan17b.json")
  echo "$keys"
  VOCABULARY=51200
  STEPS=2
  bench train17b turing-nlg-17b 1 --stage 1 --keys "$keys"
}

# Folders in which pip has put NVIDIA's libraries, and those of toolkits that are not the default one.
libraries() {
  python3 -c 'import glob, nvidia
print(":".join(sorted(folder for base in nvidia.__path__ for folder in glob.glob(base + "/*/lib"))))' 2>/dev/null || true
  ls -d /usr/local/cuda-*/lib64 2>/dev/null || true
}

stage() {
  XDG_CACHE_HOME=${DS_GPU_CACHE:-$here/cache}
  [ -n "${DS_GPU_REHEARSAL:-}" ] || DS_CUDA_LIBRARIES=${DS_CUDA_LIBRARIES:-}:$(libraries | paste -sd :)
  NCCL_SOCKET_IFNAME=${NCCL_SOCKET_IFNAME:-lo} # one rank, on a machine that may have no network
  NCCL_DEBUG=${NCCL_DEBUG:-WARN}
  export XDG_CACHE_HOME DS_CUDA_LIBRARIES NCCL_SOCKET_IFNAME NCCL_DEBUG
  case $1 in
  info)
    ds info
    nvidia-smi || true
    free -g || true
    python3 -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available(), torch.cuda.nccl.version())' || true
    ;;
  contract)
    junit cuda 200 --select-class ds.backend.cuda.CudaBackendContractTest --select-class ds.backend.cuda.CudaBackendProviderTest \
      --select-class ds.backend.cuda.ProductCandidatesTest
    ;;
  wgmma)
    junit cuda 20 --select-class ds.backend.cuda.WarpgroupAttentionTest
    ;;
  training) junit nccl 15 --select-class ds.comm.nccl.NcclCommunicatorTest --select-class ds.comm.nccl.GpuTrainingTest ;;
  check)
    status=0
    for precision in fp32 bf16; do
      ds check "$here/reference" --backend cuda --communicator nccl --dtype $precision || status=1
    done
    return $status
    ;;
  bench124) bench bench124 gpt2-124m 32 --keys "$(options)" ;;
  torch124) torch torch124 gpt2-124m 32 model ;;
  bench1558) bench bench1558 gpt2-1558m 16 --keys "$(options)" ;;
  torch1558) torch torch1558 gpt2-1558m 16 block ;;
  breakdown) bench breakdown gpt2-124m 32 --breakdown --keys "$(options)" ;;
  epilogue) bench epilogue gpt2-124m 32 --keys "$(options '"gelu_epilogue": false')" ;;
  products) # and again, to see that what was chosen is found
    bench products gpt2-124m 32 --keys "$(options '"product_candidates": 8')"
    chosen=$(cat "$XDG_CACHE_HOME"/ds/kernels/products-*.txt | cksum)
    (STEPS=2 && bench products-again gpt2-124m 32 --keys "$(options '"product_candidates": 8')")
    [ "$chosen" = "$(cat "$XDG_CACHE_HOME"/ds/kernels/products-*.txt | cksum)" ]
    ;;
  warps) bench warps gpt2-124m 32 ;;
  determinism)
    bench determinism1 gpt2-124m 32 --keys "$(options)"
    bench determinism2 gpt2-124m 32 --keys "$(options)"
    python3 "$here/gpu_summary.py" --same "$DS_GPU_OUT/determinism1.json" "$DS_GPU_OUT/determinism2.json"
    ;;
  plan17b) plan17b ;;
  train17b) train17b ;;
  *)
    echo "no stage $1" >&2
    return 2
    ;;
  esac
}

# ---- rehearsal ------------------------------------------------------------------------------------------------------------------------

rehearse() {
  emulator=$(mktemp -d)
  sh "$here/../src/emulator/build.sh" "$emulator"
  DS_GPU_REHEARSAL=1 DS_GPU_SECONDS=${DS_GPU_SECONDS:-1200} LD_LIBRARY_PATH=$emulator DS_EMULATED_DEVICES=8 TMPDIR=$emulator
  DS_GPU_CACHE=$emulator/cache # what the emulated compiler makes goes with it
  export DS_GPU_REHEARSAL DS_GPU_SECONDS LD_LIBRARY_PATH DS_EMULATED_DEVICES TMPDIR DS_GPU_CACHE
  check "$@"
  rm -rf "$emulator"
}

case ${1:-} in
bundle) bundle "$2" ;;
check | rehearse)
  command=$1
  shift
  $command "$@"
  ;;
stage) stage "$2" ;;
*)
  sed -n '2,29s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
