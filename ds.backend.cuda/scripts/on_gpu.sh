#!/bin/sh
# Carries ds to a machine that has a GPU and CUDA's libraries but no JDK and no network, and checks it there.
#
#   on_gpu.sh bundle FILE.tar.xz REFERENCE    here, after ./mvnw package: a Java runtime, the jars, the contract suites, the reference folder
#   on_gpu.sh check                           there, in the unpacked bundle: contract suite and `ds check`, all output to the terminal
#
# The machine brings libcuda, libnvrtc and libcublasLt of CUDA 12 or 13; DS_CUDA_LIBRARIES names folders beyond the usual ones.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

bundle() {
  root=$(cd "$here/../.." && pwd)
  . "$root/.mvn/jdk25.sh"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  "$JAVA_HOME/bin/jlink" --add-modules java.se,jdk.incubator.vector,jdk.unsupported,jdk.management,jdk.jfr,jdk.zipfs \
    --compress zip-0 --strip-debug --no-header-files --no-man-pages --output "$work/ds/java"
  mkdir -p "$work/ds/lib" "$work/ds/test"
  # The host's backend stays here with its native libraries: nothing is computed on the host.
  for jar in "$root"/ds.cli/target/lib/*.jar; do
    case $(basename "$jar") in
    ds.backend.cpu-* | dnnl-* | opencl-* | javacpp-*) ;;
    *) cp "$jar" "$work/ds/lib" ;;
    esac
  done
  cp -R "$root/ds.backend.cuda/target/test-classes" "$work/ds/test/classes"
  cp "$root"/ds.tck/target/ds.tck-*.jar "$work/ds/test"
  version=$(sed -n 's|.*<junit.version>\(.*\)</junit.version>.*|\1|p' "$root/pom.xml")
  (cd "$root" && ./mvnw -q dependency:copy "-Dartifact=org.junit.platform:junit-platform-console-standalone:$version" \
    "-DoutputDirectory=$work/ds/test")
  cp -R "$2" "$work/ds/reference"
  cp "$here/on_gpu.sh" "$work/ds"
  tar -C "$work" -cf - ds | xz -T0 -6 >"$1"
  echo "$1: $(wc -c <"$1") bytes"
}

check() {
  java=$here/java/bin/java
  cache=$here/cache
  native=--enable-native-access=ds.cuda,ds.backend.cuda,ds.comm.nccl
  command="$java $native -p $here/lib -m ds.cli/ds.cli.Main"
  status=0
  XDG_CACHE_HOME=$cache
  export XDG_CACHE_HOME
  $command info || status=1
  "$java" --enable-native-access=ALL-UNNAMED -cp "$here/test/classes:$here/test/*:$here/lib/*" \
    org.junit.platform.console.ConsoleLauncher execute --disable-banner --details=summary \
    --select-class ds.backend.cuda.CudaBackendContractTest || status=1
  for precision in fp32 bf16; do
    $command check "$here/reference" --backend cuda --dtype $precision || status=1
  done
  return $status
}

case ${1:-} in
bundle) bundle "$2" "$3" ;;
check) check ;;
*) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
