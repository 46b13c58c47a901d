"""Whether uploaded pictures can be kept where LATCHKEY_PICTURES puts them."""

from latchkey.doctor_checks import Check
from latchkey.picture_files import BucketPictures, picture_files
from latchkey.s3 import S3Error
from latchkey.settings import Settings, SettingsError


async def of_pictures(settings: Settings) -> list[Check]:
    """Writes an object to the bucket, reads and deletes it, or looks whether the folder is there.
    Nothing where pictures are in the database."""
    try:
        files = picture_files(settings)
    except SettingsError as error:
        advice = "set what is missing, or create the folder for the user that Latchkey runs as"
        return [Check("pictures", False, str(error), advice)]
    try:
        if isinstance(files, BucketPictures):
            await files.probe()
    except S3Error as error:
        found = f"{settings.pictures} can't be used: {error}"
        return [Check("pictures", False, found, _advice(str(error)))]
    finally:
        await files.close()
    if settings.pictures == "postgres":
        return []
    return [Check("pictures", True, f"{settings.pictures} can be written to")]


def _advice(problem: str) -> str:
    if "NoSuchBucket" in problem:
        return "create the bucket, or correct its name in LATCHKEY_PICTURES"
    if "AccessDenied" in problem:
        return "let the key put, get and delete objects, and list the bucket"
    if "SignatureDoesNotMatch" in problem or "InvalidAccessKeyId" in problem:
        return "check LATCHKEY_S3_ACCESS_KEY_ID and LATCHKEY_S3_SECRET_ACCESS_KEY"
    return "check LATCHKEY_S3_ENDPOINT, LATCHKEY_S3_REGION and that the server can be reached"
