"""`python -m latchkey.probe URL`: exit status 0 where the address answers 200."""

import sys

import httpx


def main() -> int:
    """Ask once; for health checks of containers, which have no curl."""
    try:
        return 0 if httpx.get(sys.argv[1], timeout=4).status_code == 200 else 1
    except httpx.HTTPError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
