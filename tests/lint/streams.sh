#!/bin/sh
# Fails where the worker copies or fills device memory on no stream of its own: such a call may return before its bytes
# have arrived, and a trial's stream does not wait for it.
cd "$1" || exit 1
if grep -nE 'cudaMem(cpy|set)(2D|3D|ToSymbol|FromSymbol)?\(|<<<[^,>]*,[^,>]*>>>|<<<[^,>]*,[^,>]*,[^,>]*>>>' -r worker; then
  echo "say which stream: cudaMemcpyAsync, cudaMemsetAsync, <<<blocks, threads, bytes, stream>>>"
  exit 1
fi
