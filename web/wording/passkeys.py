"""What a browser says when a passkey can't be used; `passkeys.js` reads it from the form."""

from latchkey.languages import N_, _

_ERRORS = {
    "NotAllowedError": N_(
        "The passkey wasn't used: it was cancelled, or took too long. Please try again."
    ),
    "AbortError": N_("The passkey wasn't used: it was cancelled. Please try again."),
    "InvalidStateError": N_("This device already has a passkey for your account."),
    "SecurityError": N_(
        "Passkeys don't work at this address. Open the site at its usual address and try again."
    ),
    "NotSupportedError": N_(
        "This device can't create a passkey that this site accepts. Please use another one."
    ),
    "https": N_("Your browser offers passkeys only on https pages."),
    "none": N_("Your browser doesn't support passkeys. Please sign in another way."),
    "busy": N_("Too many attempts. Wait 15 minutes, then try again."),
    "expired": N_("This page has expired. Reload it and try again."),
    "other": N_("Something went wrong. Please try again."),
}


def passkey_errors() -> dict[str, str]:
    """The sentence for each error: by the name of a browser's exception, or by a name of ours."""
    return {name: _(sentence) for name, sentence in _ERRORS.items()}
