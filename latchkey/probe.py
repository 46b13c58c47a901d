"""`python -m latchkey.probe URL`: exits with status 0 if the URL answers 200."""

import sys

import httpx


def main() -> int:
    """Send one request. For container health checks, since the image has no curl."""
    try:
        return 0 if httpx.get(sys.argv[1], timeout=4).status_code == 200 else 1
    except httpx.HTTPError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
