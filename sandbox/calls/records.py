"""Payment records, and invoices that they pay."""

from sandbox import invoices, lists, records
from sandbox.calls.registry import Call, call, readable
from sandbox.shop import invalid
from sandbox.world import Json

_URL = "/v1/payment_records"
readable(records.RECORD, _URL)
readable(records.ATTEMPT, "/v1/payment_attempt_records")
call("POST", f"{_URL}/report_payment")(lambda c: records.report(c.shop, c.params))
call("POST", f"{_URL}/{{}}/report_payment_attempt")(
    lambda c: records.attempt(c.shop, c.find(records.RECORD), c.params)
)
call("POST", f"{_URL}/{{}}/report_refund")(
    lambda c: records.refund(c.shop, c.find(records.RECORD), c.params)
)
call("POST", f"{_URL}/{{}}/report_payment_attempt_informational")(
    lambda c: records.inform(c.shop, c.find(records.RECORD), c.params)
)


def _settling(outcome: str) -> None:
    call("POST", f"{_URL}/{{}}/report_payment_attempt_{outcome}")(
        lambda c: records.settle(c.shop, c.find(records.RECORD), outcome, c.params)
    )


for _outcome in ("guaranteed", "failed", "canceled"):
    _settling(_outcome)


@call("GET", _URL)
def all_records(c: Call) -> Json:
    after, before = c.params.get("created_after"), c.params.get("created_before")

    def wanted(row: Json) -> bool:
        return (after is None or row["created"] > int(after)) and (
            before is None or row["created"] < int(before)
        )

    return lists.page(c.shop, records.RECORD, _URL, c.params, keep=wanted)


@call("GET", "/v1/payment_attempt_records")
def attempts(c: Call) -> Json:
    record = c.shop.find(records.RECORD, c.params["payment_record"], param="payment_record")
    equal = {"payment_record": record["id"]}
    return lists.page(c.shop, records.ATTEMPT, c.path, c.params, equal=equal)


@call("POST", "/v1/invoices/{}/attach_payment")
def attach(c: Call) -> Json:
    invoice = c.find("invoice")
    if name := c.params.get("payment_record"):
        record = c.shop.find(records.RECORD, name, param="payment_record")
        return records.attach(c.shop, invoice, record)
    if name := c.params.get("payment_intent"):
        intent = c.shop.find("payment_intent", name, param="payment_intent")
        return invoices.attach_intent(c.shop, invoice, intent)
    raise invalid(
        "One of the following params should be provided for this request: payment_intent,"
        " payment_record.",
        code="parameter_missing",
    )
