"""What the machine can do at best, measured beside each of our figures."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

RECORD_BYTES: Final = 12_288
_KEY: Final = rsa.generate_private_key(65_537, 2048)


def rsa_signatures_per_cpu_second(seconds: float = 0.7) -> float:
    """Raw RSA-2048 PKCS#1 v1.5 SHA-256 signatures per CPU second of one thread."""
    done = 0
    start = time.process_time()
    while (spent := time.process_time() - start) < seconds:
        _KEY.sign(b"x" * 64, padding.PKCS1v15(), hashes.SHA256())
        done += 1
    return done / spent


def flushed_appends_per_second(folder: Path, seconds: float = 1.0) -> float:
    """Appends of 12 kB, each followed by fdatasync, per second."""
    path = folder / "append.probe"
    record = os.urandom(RECORD_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        done = 0
        start = time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds:
            os.write(descriptor, record)
            os.fdatasync(descriptor)
            done += 1
        return done / spent
    finally:
        os.close(descriptor)
        path.unlink()
