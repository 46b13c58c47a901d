"""Taking an import of members back: what can become of the access that it gave, and of the accounts
that it created."""

from enum import StrEnum


class UndoOutcome(StrEnum):
    """What becomes of access that a line gave or made longer. It ends, or has its former end again,
    only if it is still as the import left it; otherwise, this says what speaks against it."""

    TAKEN_BACK = "taken_back"
    RESTORED = "restored"
    ENDED = "ended"
    LENGTHENED = "lengthened"
    CHANGED = "changed"
    MERGED = "merged"
    OTHER_IMPORT = "other_import"


class AccountOutcome(StrEnum):
    """What becomes of an account that the import created, if accounts that nobody used are to be
    deleted; it stays for each of the other reasons."""

    DELETED = "deleted"
    GONE = "gone"
    USED = "used"
    BOUGHT = "bought"
    ACCESS = "access"
    EMAILED = "emailed"
    OTHER_IMPORT = "other_import"
    KNOWN = "known"
