"""`torchrun --nproc-per-node 2 -m trainer DIR ...`: 'draem train' in several processes."""

import sys

from draem import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
