"""What people read about imports of members."""

from latchkey.languages import A_
from latchkey.rules.exports import Column
from latchkey.rules.moving import Outcome, StatusMeaning, StripeMatch
from latchkey.rules.undoing import AccountOutcome, UndoOutcome
from latchkey.rules.written_dates import DateOrder
from latchkey.store.users.member_imports import ImportState

COLUMNS = {
    Column.IGNORED: A_("Nothing (ignore)"),
    Column.EMAIL: A_("Email address"),
    Column.NAME: A_("Name, or a part of it"),
    Column.PLAN: A_("Plan or product"),
    Column.UNTIL: A_("End of access"),
    Column.STATUS: A_("Status"),
    Column.CUSTOMER: A_("Stripe customer ID"),
    Column.SUBSCRIPTION: A_("Stripe subscription ID"),
    Column.LANGUAGE: A_("Language"),
    Column.LABELS: A_("Labels"),
}
DATES = {
    DateOrder.UNKNOWN: A_("Refuse dates that can mean two days"),
    DateOrder.DAY_FIRST: A_("Day first: 31/01/2027"),
    DateOrder.MONTH_FIRST: A_("Month first: 01/31/2027"),
}
STATUSES = {
    StatusMeaning.UNKNOWN: A_("Refuse these lines"),
    StatusMeaning.GOES_ON: A_("The membership goes on"),
    StatusMeaning.OVER: A_("It is over, or ends at the end of access"),
}
STATES = {
    ImportState.COLUMNS: A_("Waits for you"),
    ImportState.PLANS: A_("Waits for you"),
    ImportState.CHECKING: A_("Being checked"),
    ImportState.READY: A_("Waits for you"),
    ImportState.RUNNING: A_("Running"),
    ImportState.DONE: A_("Done"),
    ImportState.MAILING: A_("Sending emails"),
    ImportState.UNDOING: A_("Being undone"),
    ImportState.DELETING: A_("Being undone"),
    ImportState.UNDONE: A_("Undone"),
}
WORK = {
    ImportState.CHECKING: A_("Checking the lines"),
    ImportState.RUNNING: A_("Importing"),
    ImportState.MAILING: A_("Queueing the welcome emails"),
    ImportState.UNDOING: A_("Taking access back"),
    ImportState.DELETING: A_("Deleting the accounts that nobody used"),
}
OUTCOMES = {
    Outcome.GIVEN: (
        A_("Get complimentary access"),
        A_("Until the end in the file, or without one. Nothing in Stripe changes it."),
    ),
    Outcome.BOUGHT: (
        A_("Have it by Stripe"),
        A_("They hold the product by a purchase or a subscription, and keep it by that alone."),
    ),
    Outcome.LEFT_TO_LINK: (
        A_("Left to Stripe"),
        A_(
            "The line names a Stripe customer or subscription, and the product is linked"
            " to Stripe. Whoever pays gets access by the link."
        ),
    ),
    Outcome.HAS_IT: (
        A_("Have complimentary access already"),
        A_("It lasts at least as long as the file says, so it stays as it is."),
    ),
    Outcome.OVER: (
        A_("Membership is over"),
        A_("They get an account without access."),
    ),
    Outcome.PERSON_ONLY: (
        A_("Account only"),
        A_("Their plan stands for none of your products."),
    ),
    Outcome.REFUSED: (
        A_("Refused"),
        A_("These lines are left out. Correct them and import them again."),
    ),
}
"""By outcome: a heading for lines that have it, and what that means."""
MATCHES = {
    StripeMatch.SUBSCRIPTION: A_("by the subscription's ID in the file"),
    StripeMatch.CUSTOMER: A_("by the customer's ID in the file"),
    StripeMatch.ADDRESS: A_("by the same email address in Stripe"),
    StripeMatch.OTHER_PERSON: A_("by an ID in the file, but with another address in Stripe"),
}
"""Why a line belongs to a customer whom Stripe knows."""

UNDO = {
    UndoOutcome.TAKEN_BACK: (
        A_("Access is taken back"),
        A_("The import gave it, or it would be over without the import."),
    ),
    UndoOutcome.RESTORED: (
        A_("Has its former end again"),
        A_("The person had it before, and the import made it longer."),
    ),
    UndoOutcome.ENDED: (A_("Ended already"), A_("Its end has come, or somebody ended it.")),
    UndoOutcome.LENGTHENED: (
        A_("Stays: had it before"),
        A_("The import made it longer, and which end it had before isn't known."),
    ),
    UndoOutcome.CHANGED: (
        A_("Stays: changed since"),
        A_("Somebody gave it another end or reason after the import."),
    ),
    UndoOutcome.MERGED: (
        A_("Stays: accounts were merged"),
        A_("After a merge, this access also stands for what the other account had."),
    ),
    UndoOutcome.OTHER_IMPORT: (
        A_("Stays: in a later import"),
        A_("A later import says that the person has the product. Undo that one first."),
    ),
}
"""By what becomes of access that an import gave: a heading, and what that means."""
ACCOUNTS = {
    AccountOutcome.DELETED: (A_("Nobody used it"), A_("Nothing happened in the account since.")),
    AccountOutcome.GONE: (
        A_("Gone already"),
        A_("It was erased or merged, or has another address."),
    ),
    AccountOutcome.USED: (A_("Used"), A_("Somebody signed in, or began to.")),
    AccountOutcome.BOUGHT: (A_("Known to Stripe"), A_("The person bought something, or began to.")),
    AccountOutcome.EMAILED: (A_("Emailed"), A_("An email was sent to the person.")),
    AccountOutcome.ACCESS: (
        A_("Other access"),
        A_("The person has or had access by something else."),
    ),
    AccountOutcome.OTHER_IMPORT: (A_("In a later import"), A_("A later import names the person.")),
    AccountOutcome.KNOWN: (
        A_("Something is noted"),
        A_("There is a note, a match or another record."),
    ),
}
"""By what becomes of an account that an import created: a heading, and why."""
