"""What people read about imports of members."""

from latchkey.rules.exports import Column
from latchkey.rules.moving import Outcome, StatusMeaning, StripeMatch
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
}
WORK = {
    ImportState.CHECKING: "Checking the lines",
    ImportState.RUNNING: "Importing",
    ImportState.MAILING: "Queueing the welcome emails",
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
