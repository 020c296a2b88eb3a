"""Serve a GGUF file on loopback, OpenAI-compatible: ``python serve_gguf.py FILE KEY``.

Prints its address, and ends when its standard input does.
"""

from __future__ import annotations

import sys

import xllamacpp


def main(file: str, key: str) -> None:
    """Serve until standard input ends."""
    params = xllamacpp.CommonParams()
    params.model.path = file
    params.hostnames = ["127.0.0.1"]
    params.api_keys = [key]
    params.n_ctx = 8192
    params.n_parallel = 1
    params.cpuparams.n_threads = 1  # several would spin for each other on a busy machine
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
