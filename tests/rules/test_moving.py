"""Moving in: which exports are recognised, what their lines say, and what people get."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latchkey.csv_files import CsvFormat, UnreadableFileError, format_of, lines_of
from latchkey.imported_lines import Layout, read
from latchkey.rules import exports, labels, moving
from latchkey.rules.exports import Column
from latchkey.rules.moving import (
    ImportedMember,
    Known,
    Outcome,
    Refusal,
    StatusMeaning,
    outcome,
)
from latchkey.rules.written_dates import DateOrder, UnreadableDateError, end_of, order_of

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HEADINGS = {
    "Patreon": (
        "Name,Email,Discord,Patron Status,Follows You,Free Member,Free Trial,Lifetime Amount,"
        "Pledge Amount,Charge Frequency,Tier,Addressee,Street,City,State,Zip,Country,Phone,"
        "Patronage Since Date,Last Charge Date,Last Charge Status,Additional Details,User ID,"
        "Last Updated,Currency,Max Posts,Access Expiration,Next Charge Date,Full Country Name,"
        "Subscription Source",
        "name email - status - - - - - - plan" + " -" * 15 + " until - - -",
    ),
    "Ghost": (
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,"
        "deleted_at,labels,tiers,gift_id",
        "- email name - - - customer - - labels plan -",
    ),
    "Paid Memberships Pro": (
        "id,username,firstname,lastname,email,membership,membership_id,discount_code_id,"
        "discount_code,subscription_transaction_id,billing_amount,cycle_number,cycle_period,"
        "next_payment_date,joined,startdate,expires",
        "- - name name email plan - - - subscription - - - - - - until",
    ),
    "Memberful": (
        "Full Name,Email,Memberful ID,Created at,Plan,Expiration date,Stripe Customer ID,Referrer",
        "name email - - plan until customer -",
    ),
    "MemberPress": (
        "username,email,first_name,last_name,product_id,status,expires_at",
        "- email name name plan status until",
    ),
    "CustomerHub": (
        "First Name,Last Name,Email,Last Login,Product Access",
        "name name email - plan",
    ),
    "Latchkey": (
        "email,name,role,products,created_at,last_seen_at,labels",
        "email name - plan - - labels",
    ),
}


@pytest.mark.parametrize("name", HEADINGS)
def test_known_exports_are_recognised_and_mapped(name: str) -> None:
    heading = HEADINGS[name][0].split(",")
    found = exports.recognised(heading)
    assert found is not None
    assert found.name == name
    columns = exports.suggested(heading)
    assert " ".join(column.value or "-" for column in columns) == HEADINGS[name][1]
    assert exports.problem_with(columns) is None


def test_whose_membership_has_ended_isnt_without_an_end() -> None:
    ended = HEADINGS["Paid Memberships Pro"][0].replace("expires", "ended").split(",")
    assert exports.suggested(ended)[ended.index("ended")] is Column.UNTIL


@given(st.lists(st.sampled_from(sorted({n for names in exports.COMMON.values() for n in names}))))
def test_what_is_suggested_can_be_used_or_lacks_the_address(heading: list[str]) -> None:
    columns = exports.suggested(heading)
    assert len(columns) == len(heading)
    problem = exports.problem_with(columns)
    assert (problem is None) == (Column.EMAIL in columns)


def test_unknown_headings_are_mapped_by_name() -> None:
    columns = exports.suggested(["Last-Name", "E-mail", "First_Name", "Membership level", "City"])
    assert columns == [Column.NAME, Column.EMAIL, Column.NAME, Column.PLAN, Column.IGNORED]
    assert exports.recognised(["E-mail"]) is None
    assert exports.problem_with([Column.EMAIL, Column.EMAIL]) is not None


@pytest.mark.parametrize(
    ("text", "order", "end"),
    [
        ("2027-01-31", DateOrder.UNKNOWN, "2027-01-31T23:59:59"),
        ("2027-01-31T10:00:00Z", DateOrder.UNKNOWN, "2027-01-31T10:00:00"),
        ("2027-01-31 10:00:00", DateOrder.UNKNOWN, "2027-01-31T10:00:00"),
        ("2027-01-31 10:00:00 UTC", DateOrder.UNKNOWN, "2027-01-31T10:00:00"),
        ("2027-01-31 10:00:00 +0200", DateOrder.UNKNOWN, "2027-01-31T08:00:00"),
        ("2027-01-31 10:00:00.123456", DateOrder.UNKNOWN, "2027-01-31T10:00:00.123456"),
        ("31/01/2027", DateOrder.UNKNOWN, "2027-01-31T23:59:59"),
        ("01/31/2027", DateOrder.UNKNOWN, "2027-01-31T23:59:59"),
        ("03/04/2027", DateOrder.DAY_FIRST, "2027-04-03T23:59:59"),
        ("03/04/2027", DateOrder.MONTH_FIRST, "2027-03-04T23:59:59"),
        ("5/5/2027 1:30 PM", DateOrder.UNKNOWN, "2027-05-05T13:30:00"),
        ("03.04.2027", DateOrder.MONTH_FIRST, "2027-04-03T23:59:59"),
        ("2027/4/3", DateOrder.UNKNOWN, "2027-04-03T23:59:59"),
        ("January 31, 2027", DateOrder.UNKNOWN, "2027-01-31T23:59:59"),
        ("31  Jan 2027", DateOrder.UNKNOWN, "2027-01-31T23:59:59"),
        ("Jan 31, 2027 08:15", DateOrder.UNKNOWN, "2027-01-31T08:15:00"),
        ("1800000000", DateOrder.UNKNOWN, "2027-01-15T08:00:00"),
        ("Never", DateOrder.UNKNOWN, None),
        ("0000-00-00 00:00:00", DateOrder.UNKNOWN, None),
        ("", DateOrder.UNKNOWN, None),
    ],
)
def test_ends_are_read_as_exports_write_them(text: str, order: DateOrder, end: str | None) -> None:
    assert end_of(text, order) == (datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None)


@pytest.mark.parametrize(
    "text", ["03/04/2027", "soon", "31/31/2027", "99999-01-01", "0001-01-01T00:00:00+14:00", "1050"]
)
def test_ends_that_could_be_several_or_none_are_refused(text: str) -> None:
    with pytest.raises(UnreadableDateError):
        end_of(text, DateOrder.UNKNOWN)


@given(st.text(max_size=40), st.sampled_from(DateOrder))
@example("٣٠/٠١/٢٠٢٧", DateOrder.DAY_FIRST)
def test_no_text_is_more_than_an_end_or_a_refusal(text: str, order: DateOrder) -> None:
    try:
        end = end_of(text, order)
    except UnreadableDateError:
        return
    assert end is None or end.tzinfo is UTC


@given(st.dates(datetime(1971, 1, 1).date(), datetime(9000, 1, 1).date()))
def test_an_order_reads_what_it_writes(day: datetime) -> None:
    first, month = end_of(f"{day:%d/%m/%Y}", DateOrder.DAY_FIRST), f"{day:%m/%d/%Y}"
    assert first == end_of(month, DateOrder.MONTH_FIRST) == end_of(f"{day}", DateOrder.UNKNOWN)


def test_a_column_shows_the_order_of_its_dates() -> None:
    assert order_of(["03/04/2027", "31/01/2027"]) is DateOrder.DAY_FIRST
    assert order_of(["03/04/2027", "01/31/2027 10:00"]) is DateOrder.MONTH_FIRST
    assert order_of(["03/04/2027"]) is DateOrder.UNKNOWN
    assert order_of(["31/01/2027", "01/31/2027"]) is DateOrder.UNKNOWN


HEADING = ["Email", "First", "Last", "Plan", "Until", "Stripe", "Status", "Language", "Labels"]
LAYOUT = Layout(
    HEADING,
    [
        Column.EMAIL,
        Column.NAME,
        Column.NAME,
        Column.PLAN,
        Column.UNTIL,
        Column.SUBSCRIPTION,
        Column.STATUS,
        Column.LANGUAGE,
        Column.LABELS,
    ],
    plans={"Gold": "prod_gold", "": None},
    statuses={"vip": StatusMeaning.GOES_ON},
)


def test_a_line_says_who_what_and_until_when() -> None:
    cells = ["ADA@exämple.com", "Ada", "Lovelace", "Gold", "2027-01-31", "sub_1A", "VIP", "de_AT"]
    member = read([*cells, "Press, Early bird;press"], LAYOUT)
    assert member == ImportedMember(
        email="ADA@exämple.com",
        email_key="ada@exämple.com",
        name="Ada Lovelace",
        locale="de",
        product_id="prod_gold",
        until=datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC),
        over=False,
        customer_id=None,
        subscription_id="sub_1A",
        labels=("Press", "Early bird"),
    )
    short = read(["ada@example.com"], LAYOUT)
    assert isinstance(short, ImportedMember)
    assert (short.name, short.product_id, short.until, short.labels) == (None, None, None, ())
    paypal = read(["ada@example.com", "", "", "Gold", "", "I-ABC"], LAYOUT)
    assert isinstance(paypal, ImportedMember)
    assert (paypal.customer_id, paypal.subscription_id) == (None, None)
    customer = read(["ada@example.com", "", "", "Gold", "", "cus_1"], LAYOUT)
    assert isinstance(customer, ImportedMember)
    assert (customer.customer_id, customer.subscription_id) == ("cus_1", None)


@pytest.mark.parametrize(
    ("cells", "column", "says"),
    [
        (["", "Ada"], "Email", "missing"),
        (["ada@", "Ada"], "Email", "“ada@” isn't a valid email address."),
        (["ada@example.com", "", "", "Gold", "soon"], "Until", "2027-01-31"),
        (["ada@example.com", "", "", "", "", "", "sleeping"], "Status", "“sleeping”"),
        (["ada@example.com", *[""] * 7, f"ok, {'x' * 41}"], "Labels", "longer than the 40"),
        (["ada@example.com", *"abcdefghi"], None, "10 cells"),
    ],
)
def test_a_refused_line_says_where_and_why(cells: list[str], column: str, says: str) -> None:
    refused = read(cells, LAYOUT)
    assert isinstance(refused, Refusal)
    assert refused.column == column
    assert says in refused.problem


LABELS = st.text(st.characters(exclude_characters=";", exclude_categories=["C", "Z"]), min_size=1)


@given(st.lists(LABELS, unique_by=str.casefold))
def test_labels_come_back_as_we_write_them(given: list[str]) -> None:
    ends = exports.label_ends(HEADINGS["Latchkey"][0].split(","))
    assert list(labels.split(labels.SEPARATOR.join(given), ends)) == given


def test_what_is_between_labels_depends_on_who_wrote_the_file() -> None:
    cell = "Munich, 2026; VIP"
    by_ghost = exports.label_ends(HEADINGS["Ghost"][0].split(","))
    assert labels.split(cell, by_ghost) == ("Munich", "2026; VIP")
    assert labels.split(cell, exports.label_ends(["Email", "Tags"])) == ("Munich", "2026", "VIP")
    assert exports.suggested(["Email", "Tags"]) == [Column.EMAIL, Column.LABELS]


@given(st.lists(st.text(max_size=30), max_size=10))
def test_any_line_is_read_or_refused(cells: list[str]) -> None:
    assert isinstance(read(cells, LAYOUT), ImportedMember | Refusal)


def member(**changes: object) -> ImportedMember:
    fields: dict[str, object] = {
        "email": "a@b.example",
        "email_key": "a@b.example",
        "name": None,
        "locale": None,
        "product_id": "prod_gold",
        "until": None,
        "over": False,
        "customer_id": None,
        "subscription_id": None,
    }
    return ImportedMember(**{**fields, **changes})  # type: ignore[arg-type]


LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("who", "known", "gets"),
    [
        (member(), Known(), Outcome.GIVEN),
        (member(product_id=None), Known(), Outcome.PERSON_ONLY),
        (member(over=True), Known(), Outcome.OVER),
        (member(over=True, until=LATER), Known(), Outcome.GIVEN),
        (member(until=EARLIER), Known(), Outcome.OVER),
        (member(until=NOW), Known(), Outcome.OVER),
        (member(), Known(bought=True), Outcome.BOUGHT),
        (member(), Known(linked=True), Outcome.GIVEN),
        (member(customer_id="cus_1"), Known(linked=True), Outcome.LEFT_TO_LINK),
        (member(subscription_id="sub_1"), Known(linked=True), Outcome.LEFT_TO_LINK),
        (member(customer_id="cus_1"), Known(), Outcome.GIVEN),
        (member(), Known(complimentary=True), Outcome.HAS_IT),
        (member(until=LATER), Known(complimentary=True), Outcome.HAS_IT),
        (member(until=LATER), Known(False, False, True, LATER), Outcome.HAS_IT),
        (member(), Known(False, False, True, LATER), Outcome.GIVEN),
    ],
)
def test_who_gets_what(who: ImportedMember, known: Known, gets: Outcome) -> None:
    assert outcome(who, known, now=NOW) is gets


ENDS = st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(ENDS, st.booleans(), st.booleans(), st.booleans(), ENDS)
def test_who_pays_by_stripe_is_never_given_more(
    until: datetime | None, over: bool, linked: bool, complimentary: bool, had: datetime | None
) -> None:
    known = Known(linked, True, complimentary, had)
    assert outcome(member(until=until, over=over), known, now=NOW) is not Outcome.GIVEN


@given(ENDS, st.booleans(), st.booleans(), st.booleans(), ENDS)
def test_what_is_given_lasts_longer_than_what_was_there(
    until: datetime | None, over: bool, linked: bool, complimentary: bool, had: datetime | None
) -> None:
    known = Known(linked, False, complimentary, had)
    if outcome(member(until=until, over=over), known, now=NOW) is Outcome.GIVEN:
        assert until is None or until > NOW
        assert until is not None or not over
        assert not complimentary or (had is not None and (until is None or until > had))


ROWS = [["Email", "Name"], ["ada@example.com", "Ada, “Countess”"], ["ł@example.com", "zwei\nlines"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_any_usual_encoding_and_delimiter_is_read(encoding: str, delimiter: str) -> None:
    text = "\r\n\r\n".join(
        delimiter.join(f'"{cell}"' if set(cell) & set(",\n") else cell for cell in row)
        for row in ROWS
    )
    file = io.BytesIO(text.encode(encoding))
    written = format_of(file)
    assert written.delimiter == delimiter
    lines = list(lines_of(file, written))
    assert [line.cells for line in lines] == ROWS
    assert [line.number for line in lines] == [1, 3, 5]


def test_what_isnt_utf_8_is_read_as_spreadsheets_write_it() -> None:
    file = io.BytesIO("email;name\nanna@example.com;Zoë €".encode("cp1252"))
    assert format_of(file) == CsvFormat("cp1252", ";")
    assert list(lines_of(file, format_of(file)))[1].cells == ["anna@example.com", "Zoë €"]


@pytest.mark.parametrize(
    "content",
    [b"", b" \r\n ", b"PK\x03\x04rest", b"\x00\x01\x02" + b"x" * 100, b"%PDF-1.7 a@b.example"],
)
def test_what_isnt_text_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFileError):
        list(lines_of(io.BytesIO(content), format_of(io.BytesIO(content))))


@given(st.binary(max_size=300))
@example(b"a@b.example,\x81\n")
@example(b"\xff\xfea")
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    file = io.BytesIO(content)
    try:
        lines = list(lines_of(file, format_of(file)))
    except UnreadableFileError:
        return
    assert all("\x00" not in cell for line in lines for cell in line.cells)
    assert not file.closed


def test_statuses_are_known_however_they_are_written() -> None:
    assert moving.meaning("Active Patron") is StatusMeaning.GOES_ON
    assert moving.meaning("past_due") is StatusMeaning.OVER
    assert moving.meaning("") is StatusMeaning.GOES_ON
    assert moving.meaning("Sleeping") is StatusMeaning.UNKNOWN
