"""Places in a list that is ordered by a moment, written as text: what the next page continues
from."""

from datetime import UTC, datetime, timedelta

from latchkey.store.purchases.billing_lists import ListPlace
from latchkey.texts import storable
from web.numbers import number

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(place: ListPlace) -> str:
    """The place as text: microseconds since 1970, and the id."""
    return f"{(place.at - _EPOCH) // timedelta(microseconds=1)}.{place.id}"


def place_of(text: str | None) -> ListPlace | None:
    """The place that `written` gives as this text; None for any other text."""
    moment, _, row_id = (text or "").partition(".")
    since = number(moment, digits=17)
    if since is None or not row_id or not storable(row_id):
        return None
    return ListPlace(_EPOCH + timedelta(microseconds=since), row_id)
