"""Run every benchmark with its defaults."""

from benchmarks import lives

if __name__ == "__main__":
    lives.main()
