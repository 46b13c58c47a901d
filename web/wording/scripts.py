"""What the scripts in `static/` say on the team's pages, for pages that aren't in English."""

from latchkey.languages import N_, _

MESSAGES = (
    N_("%s: place %s of %s."),
    N_("Chosen: %s"),
    N_("Close"),
    N_("Copied"),
    N_("Copy %s"),
    N_("Copy"),
    N_("Emails copied: %s"),
    N_("It can't go further down."),
    N_("It can't go further up."),
    N_("Move %s: arrow keys, or drag"),
    N_("Name, email address, Stripe ID, product or page"),
    N_("No results. Part of a name or address is enough; a Stripe ID must be complete."),
    N_("Results"),
    N_("Search everything"),
    N_("Search"),
    N_("The file is larger than 10 MB. Please make it smaller."),
    N_("We couldn't reach the site, so nothing was moved. Try again."),
    N_("We couldn't reach the site. Nothing may have been saved. Try again."),
    N_("We couldn't search. Press Enter to open the search page."),
    N_("in your time zone, %s"),
    N_("%s result"),
    N_("%s results"),
)


def spoken() -> dict[str, str]:
    """Each message in the language in use."""
    return {message: _(message) for message in MESSAGES}
