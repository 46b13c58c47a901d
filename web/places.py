"""Places in a list that is sorted by a moment or an amount, written as text: what the next page
continues from."""

from datetime import UTC, datetime, timedelta

from latchkey.store.purchases.billing_lists import ListPlace
from latchkey.texts import storable
from web.numbers import number

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(place: ListPlace) -> str:
    """The place as text: microseconds since 1970, or the amount, and the id."""
    if isinstance(place.at, int):
        return f"{place.at}.{place.id}"
    return f"{(place.at - _EPOCH) // timedelta(microseconds=1)}.{place.id}"


def place_of(text: str | None, *, of_amount: bool = False) -> ListPlace | None:
    """The place that `written` gives as this text; None for any other text."""
    moment, _, row_id = (text or "").partition(".")
    since = number(moment, digits=17)
    if since is None or not row_id or not storable(row_id):
        return None
    if of_amount:
        return ListPlace(since, row_id)
    return ListPlace(_EPOCH + timedelta(microseconds=since), row_id)
