#!/bin/sh
# Installs the project with every extra that pip can give this machine. Run by './just setup'.
set -eu
cd "$(dirname "$0")/.."

extras=archive,deliver,web,metrics,parquet,postgresql,s3,cluster,trainer,calibration,video,modbus,opcua,mqtt,s7,ethernet-ip,gpio,release,int8,dev
# NVIDIA ships the RTX flavour of TensorRT for x86-64 alone; it compiles without a GPU.
[ "$(uname -m)" = x86_64 ] && extras=$extras,tensorrt-rtx
# pycuda is built from source: it needs the CUDA toolkit, and a GPU to be of use.
if command -v nvcc >/dev/null && command -v nvidia-smi >/dev/null; then
    extras=$extras,pycuda
    # On a Jetson tensorrt comes with JetPack.
    [ "$(uname -m)" = x86_64 ] && extras=$extras,tensorrt
fi
# PyGObject is built from source too; without compiler and headers there are no GenICam cameras.
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
