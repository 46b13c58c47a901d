"""Uploaded pictures: what is read, what is refused, what is kept, and what is collected."""

import asyncio
import hashlib
import struct
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient
from PIL import Image, ImageCms
from starlette.applications import Starlette
from starlette.routing import Route

from latchkey import picture_reader, pictures
from latchkey.picture_files import (
    BucketPictures,
    DatabasePictures,
    FolderPictures,
    PictureFiles,
    picture_files,
)
from latchkey.picture_moving import Moved, move, move_between
from latchkey.pictures import MOST_BYTES, Picture, PictureError, PictureReader
from latchkey.rules.pictures import SIZES, PictureName, PictureUse, of_address
from latchkey.settings import Settings, SettingsError
from latchkey.store.pool import Connection, Pool
from tests.bucket import BucketServer, bucket_server
from tests.images import opened, picture
from web import pictures as served

pytestmark = pytest.mark.anyio


async def read(raw: bytes, use: PictureUse = PictureUse.PHOTO) -> Picture:
    return await PictureReader().read(raw, use)


def written(raw: bytes, use: PictureUse = PictureUse.PHOTO) -> dict[str, bytes]:
    """What the reader's process does, in this one."""
    return picture_reader.read(raw, asdict(SIZES[use]))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_a_photo_is_kept_in_the_sizes_that_pages_show(form: str) -> None:
    made = written(picture(form, size=(1500, 750), colour=(20, 140, 90)))
    assert list(made) == ["1280.webp", "640.webp", "320.webp"]
    for name, body in made.items():
        image = opened(body)
        assert image.format == "WEBP"
        assert image.size == (int(name.split(".")[0]), int(name.split(".")[0]) // 2)
        red, green, blue = image.convert("RGB").getpixel((5, 5))
        assert max(abs(red - 20), abs(green - 140), abs(blue - 90)) < 8


async def test_a_pictures_address_names_its_content() -> None:
    made = await read(picture(size=(700, 10)))
    digest = hashlib.sha256(made.files["700.webp"]).hexdigest()
    assert made.address == f"/pictures/{digest}-700.webp"
    assert (await read(picture(size=(700, 10)))).address == made.address


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    (body,) = written(picture(form, size=(20, 10), mode=mode)).values()
    assert opened(body).size == (20, 10)


def test_logos_and_icons_have_a_format_that_every_program_knows() -> None:
    clear = picture(size=(800, 100), mode="RGBA", colour=(0, 0, 0, 0))
    logo = written(clear, PictureUse.LOGO)
    assert list(logo) == ["640.webp", "640.png"]
    assert opened(logo["640.png"]).size == (640, 80)
    assert opened(logo["640.png"]).getpixel((0, 0))[3] == 0
    icon = written(picture(size=(100, 40), colour=(255, 0, 0)), PictureUse.ICON)
    assert list(icon) == ["100.png"]
    square = opened(icon["100.png"])
    assert [square.size, square.getpixel((50, 50)), square.getpixel((50, 5))[3]] == [
        (100, 100),
        (255, 0, 0, 255),
        0,
    ]


def test_metadata_is_applied_and_then_gone() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken at home"
    raw = picture("JPEG", size=(400, 200), exif=exif, comment=b"a secret place")
    body = written(raw + b"<script>alert(1)</script>")["200.webp"]
    assert opened(body).size == (200, 400), "turned as the camera was held"
    for secret in (b"home", b"secret", b"script", b"EXIF"):
        assert secret not in body


def test_profiles_that_cannot_be_applied_are_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (lab, b"not a profile at all"):
        (body,) = written(picture(size=(8, 8), colour=(10, 200, 30), icc_profile=profile)).values()
        assert opened(body).info.get("icc_profile") is None
        assert opened(body).convert("RGB").getpixel((4, 4))[1] > 190


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def declared(width: int, height: int) -> bytes:
    """A PNG that says that it is large, with little in it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"<!doctype html><script>alert(1)</script>", "unknown"),
        (b"GIF89a<script>alert(1)</script>", "unknown"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "unknown"),
        (b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", "unknown"),
        (picture("TIFF"), "unknown"),
        (picture("BMP"), "unknown"),
        (picture("JPEG", size=(400, 400))[:900], "broken"),
        (declared(40, 30), "broken"),
        (declared(60_000, 60_000), "large"),
        (declared(2**31 - 1, 2**31 - 1), "large"),
        (declared(9_000, 9_000), "large"),
        (picture(size=(8_000, 4_000), mode="1"), "large"),
    ],
)
def test_other_files_are_refused(raw: bytes, why: str) -> None:
    with pytest.raises(picture_reader.RefusedError, match=why):
        written(raw)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b"x" * (MOST_BYTES + 1), "larger than 10 MB"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "scripts"),
        (b"MZ\x90", "isn't a picture"),
        (declared(60_000, 60_000), "20 million pixels"),
    ],
    ids=["empty", "long", "svg", "program", "bomb"],
)
async def test_whoever_uploads_it_reads_why_it_was_refused(raw: bytes, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        await read(raw)


async def test_the_loop_goes_on_while_a_large_picture_is_read() -> None:
    """Reading happens elsewhere: meanwhile the loop turns."""
    reading = asyncio.create_task(read(picture(size=(5000, 3900))))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert (await reading).files.keys() == {"1280.webp", "640.webp", "320.webp"}
    assert turns > 20


async def test_a_reader_that_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "hanging.py"
    hanging.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(pictures, "_READER", hanging)
    monkeypatch.setattr(pictures, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(PictureError, match="couldn't read"):
        await read(picture())


@pytest.mark.parametrize(
    "answer",
    [
        'print("<html>")',
        "print('{\"files\": [[\"9.webp\", 6]]}'); print('<html>')",
        'print(\'{"files": [["../x.webp", 12]]}\'); print("RIFFxxxxWEBP")',
        "import sys; print('x' * 40_000_000)",
        "print('[1]')",
        "print('{\"files\": []}')",
        'print(\'{"files": [["9.webp", "many"]]}\')',
        'print(\'{"refused": ["unknown"]}\')',
        "raise SystemExit(3)",
    ],
)
async def test_a_reader_that_was_taken_over_serves_nothing(
    answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lying = tmp_path / "lying.py"
    lying.write_text(answer + "\n")
    monkeypatch.setattr(pictures, "_READER", lying)
    with pytest.raises(PictureError):
        await read(picture())


async def test_the_reader_knows_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATCHKEY_SECRET", "x" * 40)
    monkeypatch.setattr(pictures, "_REFUSALS", {"": "none", "x" * 40: "told"})
    spying = tmp_path / "spying.py"
    spying.write_text(
        "import json, os\nprint(json.dumps({'refused': os.environ.get('LATCHKEY_SECRET', '')}))\n"
    )
    monkeypatch.setattr(pictures, "_READER", spying)
    with pytest.raises(PictureError, match="none"):
        await read(picture())


async def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_WAITING", 2)
    reader = PictureReader()
    raw = picture()
    results = await asyncio.gather(
        *(reader.read(raw, PictureUse.PHOTO) for _ in range(4)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, PictureError)]
    assert len(refused) == 2
    assert "Too many" in str(refused[0])
    assert (await reader.read(raw, PictureUse.PHOTO)).files


@pytest.fixture
async def bucket() -> AsyncIterator[BucketServer]:
    async with bucket_server() as made:
        yield made


@pytest.fixture(params=["database", "folder", "bucket"])
async def files(
    request: pytest.FixtureRequest, tmp_path: Path, bucket: BucketServer
) -> AsyncIterator[PictureFiles]:
    places: dict[str, PictureFiles] = {
        "database": DatabasePictures(),
        "folder": FolderPictures(tmp_path),
        "bucket": BucketPictures(bucket.bucket, "site/"),
    }
    yield places[request.param]
    await places["bucket"].close()


async def kept(pool: Pool, files: PictureFiles, colour: int) -> PictureName:
    made = await read(picture(size=(6, 4), colour=(colour * 25, 0, 0)))
    name = of_address(await pictures.keep(pool, files, made))
    assert name is not None
    return name


async def age(pool: Pool, *names: PictureName) -> None:
    await pool.execute(
        "update pictures set used_at = now() - interval '25 hours' where digest = any($1)",
        [name.digest for name in names],
    )


async def test_pictures_that_nothing_shows_go_after_a_day(pool: Pool, files: PictureFiles) -> None:
    product, page, block, site, text, unused, fresh, welcome = [
        await kept(pool, files, n) for n in range(8)
    ]
    await pool.execute(
        "insert into products (id, slug, name, image_url, content)"
        " values ('prd_1', 'a', 'A', $1, $2)",
        f"/pictures/{product.digest}-6.webp",
        f"Look: ![](https://members.example/pictures/{text.digest}-6.webp) and on",
    )
    await pool.execute(
        "insert into sales_pages (product_id, headline, body, image_url, price_line, button)"
        " values ('prd_1', '', '', $1, '', '')",
        f"/pictures/{page.digest}-6.webp",
    )
    await pool.execute(
        "update sales_pages set blocks = $1",
        [{"id": "a", "kind": "new", "content": {"picture": f"/pictures/{block.digest}-6.webp"}}],
    )
    await pool.execute(
        "insert into site_settings (key, value) values ('site', $1)",
        {"logo_url": f"/pictures/{site.digest}-6.webp"},
    )
    await pool.execute(
        "insert into page_texts (place, language, heading, body) values ('sign_in', 'en', '', $1)",
        f"![](/pictures/{welcome.digest}-6.webp)",
    )
    await age(pool, product, page, block, site, text, unused, welcome)
    assert await pictures.collect(pool, files) == 1
    assert await files.get(pool, unused) is None
    for name in (product, page, block, site, text, fresh, welcome):
        body = await files.get(pool, name)
        assert body is not None
        assert opened(body).format == "WEBP"
    assert await pictures.collect(pool, files) == 0


async def test_what_is_uploaded_again_while_it_is_collected_stays(
    pool: Pool, files: PictureFiles
) -> None:
    name = await kept(pool, files, 9)
    await age(pool, name)
    await asyncio.gather(*(pictures.collect(pool, files) for _ in range(2)), kept(pool, files, 9))
    assert await files.get(pool, name) is not None


async def test_what_a_folder_cannot_take_is_refused_with_a_sentence(
    pool: Pool, tmp_path: Path
) -> None:
    made = await read(picture(size=(6, 4)))
    taken = tmp_path / made.digest[:2] / made.digest / next(iter(made.files))
    taken.mkdir(parents=True)
    with pytest.raises(PictureError, match="can't be stored at the moment"):
        await pictures.keep(pool, FolderPictures(tmp_path), made)
    assert [*taken.parent.iterdir()] == [taken], "no half of a file is left"
    assert await pool.fetchval("select count(*) from pictures") == 0


async def test_files_in_a_folder_are_as_the_umask_has_it(pool: Pool, tmp_path: Path) -> None:
    """Whoever backs up the folder reads them, or another user that the site runs as later."""
    name = await kept(pool, FolderPictures(tmp_path), 6)
    usual = tmp_path / "usual"
    usual.touch()
    (made,) = (tmp_path / name.digest[:2] / name.digest).iterdir()
    assert made.stat().st_mode == usual.stat().st_mode


async def test_what_was_kept_in_the_database_is_still_served(
    pool: Pool, files: PictureFiles
) -> None:
    name = await kept(pool, DatabasePictures(), 3)
    assert await files.get(pool, name) is not None
    await age(pool, name)
    assert await pictures.collect(pool, files) == 1
    assert await files.get(pool, name) is None


async def test_a_bucket_has_the_files_as_what_they_are(pool: Pool, bucket: BucketServer) -> None:
    files = BucketPictures(bucket.bucket, "site/")
    name = await kept(pool, files, 4)
    key = f"site/{name.digest[:2]}/{name.digest}/{name.file}"
    assert [kind for kind, _ in bucket.objects.values()] == ["image/webp"]
    assert bucket.objects.keys() == {key}
    assert await DatabasePictures().get(pool, name) is None
    await age(pool, name)
    assert await pictures.collect(pool, files) == 1
    assert bucket.objects == {}
    await files.close()


async def test_a_bucket_that_is_away_loses_nothing(pool: Pool, bucket: BucketServer) -> None:
    files = BucketPictures(bucket.bucket, "")
    name = await kept(pool, files, 5)
    await age(pool, name)
    bucket.failing = (503, "SlowDown")
    with pytest.raises(PictureError, match="can't be stored at the moment"):
        await kept(pool, files, 6)
    assert await pictures.collect(pool, files) == 0
    bucket.failing = None
    assert await files.get(pool, name) is not None
    assert await pool.fetchval("select count(*) from pictures") == 1
    assert await pictures.collect(pool, files) == 1
    await files.close()


@pytest.mark.parametrize("target", ["database", "folder", "bucket"])
async def test_pictures_move_from_any_place_to_any_other(
    pool: Pool, files: PictureFiles, target: str, tmp_path: Path, bucket: BucketServer
) -> None:
    (tmp_path / "other").mkdir()
    places: dict[str, PictureFiles] = {
        "database": DatabasePictures(),
        "folder": FolderPictures(tmp_path / "other"),
        "bucket": BucketPictures(bucket.bucket, "other/"),
    }
    to = places[target]
    same = isinstance(files, DatabasePictures) and isinstance(to, DatabasePictures)
    first, second = await kept(pool, files, 1), await kept(pool, files, 2)
    body = await files.get(pool, first)
    assert await move(pool, files, to) == (Moved(there=2) if same else Moved(copied=2))
    third = await kept(pool, files, 3)
    if not same:
        done = await move(pool, files, to, delete=True)
        assert done == Moved(copied=1, there=2, deleted=3)
        assert await move(pool, files, to, delete=True) == Moved(there=3)
        async with pool.acquire() as connection:
            assert [await files.names(connection, one.digest) for one in (first, third)] == [[], []]
    assert await to.get(pool, first) == body
    assert await to.get(pool, second) is not None
    await places["bucket"].close()


async def test_a_picture_in_a_bucket_is_served_as_a_picture(
    pool: Pool, bucket: BucketServer
) -> None:
    files = BucketPictures(bucket.bucket, "")
    name = await kept(pool, files, 7)
    app = Starlette(routes=[Route(served.PATH, served.picture)])
    app.state.site = SimpleNamespace(pool=pool, picture_files=files)
    path = f"/pictures/{name.digest}-{name.file}"
    async with AsyncClient(transport=ASGITransport(app), base_url="http://site.example") as client:
        answer = await client.get(path)
        assert opened(answer.content).size == (6, 4)
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert (await client.get(path.replace("-6.", "-7."))).status_code == 404
        bucket.failing = (403, "AccessDenied")
        assert (await client.get(path)).status_code == 503
    await files.close()


async def test_the_command_copies_and_then_deletes(pool: Pool, dsn: str, tmp_path: Path) -> None:
    name = await kept(pool, DatabasePictures(), 8)
    before, after = (
        Settings(_env_file=None, DATABASE_URL=dsn, LATCHKEY_PICTURES=place)  # type: ignore[call-arg, arg-type]
        for place in ("postgres", str(tmp_path))
    )
    assert await move_between(before, "postgres", str(tmp_path)) == Moved(copied=1)
    done = await move_between(after, "postgres", str(tmp_path), delete=True)
    assert done == Moved(there=1, deleted=1)
    assert await DatabasePictures().get(pool, name) is None
    assert await FolderPictures(tmp_path).get(pool, name) is not None


async def test_nothing_is_deleted_before_its_copy_is_committed(pool: Pool, tmp_path: Path) -> None:
    name = await kept(pool, FolderPictures(tmp_path), 8)
    await pool.execute(
        """
        create function refuse() returns trigger language plpgsql as $$
        begin raise 'no room'; end $$;
        create constraint trigger refuse after insert on picture_files
        deferrable initially deferred for each row execute function refuse()
        """
    )
    with pytest.raises(asyncpg.RaiseError):
        await move(pool, FolderPictures(tmp_path), DatabasePictures(), delete=True)
    assert await FolderPictures(tmp_path).get(pool, name) is not None


async def test_nothing_is_deleted_that_the_other_place_does_not_list(
    pool: Pool, tmp_path: Path
) -> None:
    class Forgetful(FolderPictures):
        async def put(
            self, connection: Connection, digest: str, files: Mapping[str, bytes]
        ) -> None:
            """As a bucket whose rules delete what is new."""

    name = await kept(pool, DatabasePictures(), 8)
    done = await move(pool, DatabasePictures(), Forgetful(tmp_path), delete=True)
    assert done == Moved(copied=1)
    assert await DatabasePictures().get(pool, name) is not None


async def test_pictures_in_use_are_not_deleted(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, LATCHKEY_PICTURES=str(tmp_path))  # type: ignore[call-arg]
    link, other = tmp_path / "link", tmp_path / "other"
    link.symlink_to(tmp_path)
    other.mkdir()
    for source, target, says in (
        (f"{link}", str(other), f"set LATCHKEY_PICTURES to {other}"),
        (f"{other}", f"{link}/other/../other", "the same place"),
        (f"{tmp_path}/", "postgres", "set LATCHKEY_PICTURES to postgres"),
        ("postgres", "postgres", "the same place"),
        ("s3://site-pictures", "s3://site-pictures/", "the same place"),
        ("pictures", "postgres", "a place must be postgres"),
        ("postgres", f"{tmp_path}/missing", "isn't a folder"),
        ("s3://site-pictures", "postgres", "LATCHKEY_S3_ACCESS_KEY_ID"),
    ):
        with pytest.raises(SettingsError, match=says):
            await move_between(settings, source, target, delete=True)


def test_the_folder_has_to_be_there(tmp_path: Path) -> None:
    def placed(place: str) -> PictureFiles:
        return picture_files(Settings(_env_file=None, LATCHKEY_PICTURES=place))  # type: ignore[call-arg]

    assert isinstance(placed("postgres"), DatabasePictures)
    assert isinstance(placed(str(tmp_path)), FolderPictures)
    with pytest.raises(SettingsError, match="LATCHKEY_S3_ACCESS_KEY_ID"):
        placed("s3://site-pictures")
    with pytest.raises(SettingsError, match="isn't a folder"):
        placed(str(tmp_path / "missing"))
    with pytest.raises(ValueError, match="absolute path"):
        placed("pictures")
