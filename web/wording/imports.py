"""What people read about imports of members."""

from latchkey.rules.exports import Column
from latchkey.rules.moving import Outcome, StatusMeaning, StripeMatch
from latchkey.rules.undoing import AccountOutcome, UndoOutcome
from latchkey.rules.written_dates import DateOrder
from latchkey.store.users.member_imports import ImportState

COLUMNS = {
    Column.IGNORED: "Nothing (ignore)",
    Column.EMAIL: "Email address",
    Column.NAME: "Name, or a part of it",
    Column.PLAN: "Plan or product",
    Column.UNTIL: "End of access",
    Column.STATUS: "Status",
    Column.CUSTOMER: "Stripe customer ID",
    Column.SUBSCRIPTION: "Stripe subscription ID",
    Column.LANGUAGE: "Language",
}
DATES = {
    DateOrder.UNKNOWN: "Refuse dates that can mean two days",
    DateOrder.DAY_FIRST: "Day first: 31/01/2027",
    DateOrder.MONTH_FIRST: "Month first: 01/31/2027",
}
STATUSES = {
    StatusMeaning.UNKNOWN: "Refuse these lines",
    StatusMeaning.GOES_ON: "The membership goes on",
    StatusMeaning.OVER: "It is over, or ends at the end of access",
}
STATES = {
    ImportState.COLUMNS: "Waits for you",
    ImportState.PLANS: "Waits for you",
    ImportState.CHECKING: "Being checked",
    ImportState.READY: "Waits for you",
    ImportState.RUNNING: "Running",
    ImportState.DONE: "Done",
    ImportState.MAILING: "Sending emails",
    ImportState.UNDOING: "Being undone",
    ImportState.DELETING: "Being undone",
    ImportState.UNDONE: "Undone",
}
WORK = {
    ImportState.CHECKING: "Checking the lines",
    ImportState.RUNNING: "Importing",
    ImportState.MAILING: "Queueing the welcome emails",
    ImportState.UNDOING: "Taking access back",
    ImportState.DELETING: "Deleting the accounts that nobody used",
}
OUTCOMES = {
    Outcome.GIVEN: (
        "Get complimentary access",
        "Until the end in the file, or without one. Nothing in Stripe changes it.",
    ),
    Outcome.BOUGHT: (
        "Have it by Stripe",
        "They hold the product by a purchase or a subscription, and keep it by that alone.",
    ),
    Outcome.LEFT_TO_LINK: (
        "Left to Stripe",
        "The line names a Stripe customer or subscription, and the product is linked to Stripe."
        " Whoever pays gets access by the link.",
    ),
    Outcome.HAS_IT: (
        "Have complimentary access already",
        "It lasts at least as long as the file says, so it stays as it is.",
    ),
    Outcome.OVER: (
        "Membership is over",
        "They get an account without access.",
    ),
    Outcome.PERSON_ONLY: (
        "Account only",
        "Their plan stands for none of your products.",
    ),
    Outcome.REFUSED: (
        "Refused",
        "These lines are left out. Correct them and import them again.",
    ),
}
"""By outcome: a heading for lines that have it, and what that means."""
MATCHES = {
    StripeMatch.SUBSCRIPTION: "by the subscription's ID in the file",
    StripeMatch.CUSTOMER: "by the customer's ID in the file",
    StripeMatch.ADDRESS: "by the same email address in Stripe",
    StripeMatch.OTHER_PERSON: "by an ID in the file, but with another address in Stripe",
}
"""Why a line belongs to a customer whom Stripe knows."""

UNDO = {
    UndoOutcome.TAKEN_BACK: (
        "Access is taken back",
        "The import gave it, and it is still as it was given.",
    ),
    UndoOutcome.ENDED: ("Ended already", "Its end has come, or somebody ended it."),
    UndoOutcome.LENGTHENED: (
        "Stays: had it before",
        "The import only made access longer that the person had. Its end stays as it is.",
    ),
    UndoOutcome.CHANGED: (
        "Stays: changed since",
        "Somebody gave it another end or reason after the import.",
    ),
    UndoOutcome.MERGED: (
        "Stays: accounts were merged",
        "After a merge, this access also stands for what the other account had.",
    ),
    UndoOutcome.OTHER_IMPORT: (
        "Stays: in a later import",
        "A later import says that the person has the product. Undo that one first.",
    ),
}
"""By what becomes of access that an import gave: a heading, and what that means."""
ACCOUNTS = {
    AccountOutcome.DELETED: ("Nobody used it", "Nothing happened in the account since."),
    AccountOutcome.GONE: ("Gone already", "It was erased or merged, or has another address."),
    AccountOutcome.USED: ("Used", "Somebody signed in, or began to."),
    AccountOutcome.BOUGHT: ("Known to Stripe", "The person bought something, or began to."),
    AccountOutcome.EMAILED: ("Emailed", "An email was sent to the person."),
    AccountOutcome.ACCESS: ("Other access", "The person has or had access by something else."),
    AccountOutcome.OTHER_IMPORT: ("In a later import", "A later import names the person."),
    AccountOutcome.KNOWN: ("Something is noted", "There is a note, a match or another record."),
}
"""By what becomes of an account that an import created: a heading, and why."""
