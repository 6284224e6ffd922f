#!/bin/sh
# Makes the emulated device's libraries, under the names of CUDA's own: build.sh FOLDER. Programs started with LD_LIBRARY_PATH=FOLDER then
# find a GPU, whose kernels are compiled for the host by g++ (12 or later, on x86_64).
set -eu
source=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
rm -rf "$1/cache" "$1"/ds-emulator-*
make_library() {
  g++ -std=c++20 -O2 -Wall -Wextra -Werror -shared -fPIC "-DDS_EMULATOR=\"$source\"" -o "$1/$3" "$source/$2.cpp"
}
make_library "$1" driver libcuda.so.1
make_library "$1" nvrtc libnvrtc.so.13
make_library "$1" cublaslt libcublasLt.so.13
make_library "$1" nccl libnccl.so.2
