#!/bin/sh
# Installs the project with every extra that pip can give this machine. Run by './just setup'.
set -eu
cd "$(dirname "$0")/.."

extras=trainer,calibration,modbus,opcua,mqtt,s7,release,dev
# NVIDIA publishes TensorRT for RTX only for x86-64; it compiles engines without a GPU.
[ "$(uname -m)" = x86_64 ] && extras=$extras,tensorrt-rtx
# pycuda is built from source: it needs the CUDA toolkit, and is only used with a GPU.
if command -v nvcc >/dev/null && command -v nvidia-smi >/dev/null; then
    extras=$extras,pycuda
    # On a Jetson tensorrt comes with JetPack.
    [ "$(uname -m)" = x86_64 ] && extras=$extras,tensorrt
fi
# PyGObject (for GenICam cameras) is built from source too: it needs a compiler and headers.
has_python_headers() {
    .venv/bin/python -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}
if command -v cc >/dev/null && has_python_headers &&
    pkg-config --exists gobject-introspection-1.0 cairo 2>/dev/null; then
    extras=$extras,genicam
fi

stamp=.venv/setup-done
wanted="$extras $(cat pyproject.toml constraints.txt deploy/setup.sh | sha256sum)"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
echo "installing into .venv: $extras (PyTorch is large, this takes some minutes once)"
.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$extras]"
echo "$wanted" > "$stamp"
