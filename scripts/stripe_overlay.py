"""Create sandbox/overlay.json from the TypeScript types of the npm package `stripe`.

TypeScript distinguishes `key: T | null` (always present) from `key?: T` (may be absent); Python's
types turn both into Optional. Run once for each new SDK version:

    npm install stripe@23.1.0
    python scripts/stripe_overlay.py node_modules/stripe/esm/resources > sandbox/overlay.json
"""

import json
import re
import sys
from pathlib import Path

SERVED = re.compile(
    r"^(:(Account|Product|Price|Customer|PaymentMethod|SetupIntent|Subscription|SubscriptionItem"
    r"|Coupon|PromotionCode|Discount|Invoice|InvoiceLineItem|InvoiceItem|InvoicePayment"
    r"|PaymentIntent|Charge|Refund|Dispute|PaymentLink|LineItem|Event|WebhookEndpoint|Address"
    r"|BalanceTransaction|TaxRate|Quote)|checkout:Session|billingportal:(Configuration|Session)"
    r"|testhelpers:TestClock)(\.|$)"
)
NAMESPACE = re.compile(r"(?:export )?(?:declare )?namespace (\w+) \{")
INTERFACE = re.compile(r"(?:export )?interface (\w+)[^{]*\{")
FIELD = re.compile(r"(\w+)(\??): (.*);$")


def scan(root: Path) -> dict[str, dict[str, list[str]]]:
    """Per response interface: the keys always present and those never null."""
    found: dict[str, dict[str, list[str]]] = {}
    for file in sorted(root.rglob("*.d.ts")):
        namespace = "".join(file.relative_to(root).parts[:-1]).lower()
        scan_file(file, namespace, found)
    return {
        key: value
        for key, value in found.items()
        if value["required"] and "Params" not in key and SERVED.match(key)
    }


def scan_file(file: Path, namespace: str, found: dict[str, dict[str, list[str]]]) -> None:
    stack: list[str] = []
    current: dict[str, list[str]] | None = None
    for line in map(str.strip, file.read_text().splitlines()):
        if opened := NAMESPACE.match(line):
            stack.append(opened[1])
        elif opened := INTERFACE.match(line):
            path = ".".join([*filter(str.isidentifier, stack), opened[1]])
            current = found[f"{namespace}:{path}"] = {"required": [], "nonnull": []}
            stack.append("{interface}")
        elif line in ("}", "};"):
            if stack and stack.pop() == "{interface}":
                current = None
        elif line.endswith("{") and not line.startswith(("*", "/")):
            stack.append("{inline}")
        elif current is not None and stack[-1] == "{interface}" and (field := FIELD.match(line)):
            if not field[2]:
                current["required"].append(field[1])
            if not field[3].endswith("| null") and field[3] not in ("void", "never"):
                current["nonnull"].append(field[1])


if __name__ == "__main__":
    json.dump(scan(Path(sys.argv[1])), sys.stdout, sort_keys=True, separators=(",", ":"))
    sys.stdout.write("\n")
