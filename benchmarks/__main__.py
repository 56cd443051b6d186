"""The figure everything else hangs on: contact lives per second.

The other programs are run by name: ``python -m benchmarks.forecast``, ``lists``, ``proofs``.
"""

from benchmarks import lives

if __name__ == "__main__":
    lives.main()
