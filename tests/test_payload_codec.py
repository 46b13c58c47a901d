"""What workflows keep in Temporal is encrypted, each payload under a named key."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from latchkey import codec_server, payload_codec, temporal
from latchkey.payload_codec import EncryptingCodec, PayloadKeyError, PayloadKeys
from latchkey.settings import Settings, SettingsError
from tests.test_settings import folder
from worker import WORKFLOWS, workflow_runner

pytestmark = pytest.mark.anyio

__all__ = ["folder"]

FIRST, SECOND = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
OLD, BOTH = f"2026:{FIRST}", f"2027:{SECOND},2026:{FIRST}"
TOKEN = "a token of sixteen or more"
UI = "https://temporal.example"


def codec(text: str) -> EncryptingCodec:
    return EncryptingCodec(PayloadKeys.of(text))


def payload(data: bytes = b'"sub_123"') -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


async def test_a_payload_comes_back_whole_and_shows_nothing_meanwhile() -> None:
    given = [payload(), payload(b"{}"), Payload(metadata={"encoding": b"binary/null"})]
    sealed = await codec(OLD).encode(given)
    for one in sealed:
        assert one.metadata["encoding"] == b"binary/encrypted"
        assert one.metadata["encryption-key-id"] == b"2026"
        assert b"sub_123" not in one.SerializeToString()
        assert b"json/plain" not in one.SerializeToString()
    assert await codec(OLD).decode(sealed) == given
    assert await codec(OLD).encode(given) != sealed, "a nonce is never used twice"


async def test_keys_rotate() -> None:
    earlier = await codec(OLD).encode([payload()])
    now = await codec(BOTH).encode([payload()])
    assert [one.metadata["encryption-key-id"] for one in (*earlier, *now)] == [b"2026", b"2027"]
    assert await codec(BOTH).decode([*earlier, *now]) == [payload(), payload()]
    with pytest.raises(PayloadKeyError, match="the key 2027, which isn't in"):
        await codec(OLD).decode(now)


async def test_without_a_first_key_nothing_is_encrypted_but_what_was_is_read() -> None:
    reading = codec(f"none,{OLD}")
    assert await reading.encode([payload()]) == [payload()]
    assert await reading.decode(await codec(OLD).encode([payload()])) == [payload()]
    assert await codec(OLD).decode([payload()]) == [payload()]


async def test_what_was_changed_is_not_read() -> None:
    (sealed,) = await codec(BOTH).encode([payload()])
    for position in (0, 15, len(sealed.data) - 1):
        changed = bytearray(sealed.data)
        changed[position] ^= 1
        broken = Payload(metadata=sealed.metadata, data=bytes(changed))
        with pytest.raises(PayloadKeyError, match="was changed"):
            await codec(BOTH).decode([broken])
    other = dict(sealed.metadata) | {"encryption-key-id": b"2026"}
    nonce = bytes(payload_codec.NONCE_BYTES)
    alien = PayloadKeys.of(BOTH).ciphers["2027"].encrypt(nonce, b"no payload", b"2027")
    for broken in (
        Payload(metadata=other, data=sealed.data),
        Payload(metadata=sealed.metadata),
        Payload(metadata=sealed.metadata, data=sealed.data[:20]),
        Payload(metadata=sealed.metadata, data=nonce + alien),
    ):
        with pytest.raises(PayloadKeyError):
            await codec(BOTH).decode([broken])
    long = dict(sealed.metadata) | {"encryption-key-id": b"a" * 1_000_000}
    with pytest.raises(PayloadKeyError) as refused:
        await codec(BOTH).decode([Payload(metadata=long, data=sealed.data)])
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026", "the key 2026 must be 32 bytes in base64"),
        ("2026:abc", "the key 2026 must be 32 bytes in base64"),
        (f"2026:{base64.b64encode(b'short').decode()}", "the key 2026 must be 32 bytes"),
        (f"{OLD},{OLD}", "two keys are named 2026"),
        (f"{OLD},:{SECOND}", "entry 2 must be a name, a colon and a key"),
        (f"{OLD},none", "entry 2 must be a name"),
        (f"über uns:{FIRST}", "entry 1 must be a name"),
    ],
)
def test_wrong_keys_are_refused_without_showing_them(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        Settings.model_validate({"LATCHKEY_TEMPORAL_KEYS": text})
    assert FIRST not in says
    assert FIRST not in str(refused.value.errors(include_input=False))  # type: ignore[attr-defined]


def test_keys_are_read_in_order() -> None:
    keys = PayloadKeys.of(f" {BOTH} ")
    assert (keys.first, list(keys.keys)) == ("2027", ["2027", "2026"])
    assert PayloadKeys.of(f"none,{BOTH}").first is None


HISTORIES = sorted((Path(__file__).parent / "workflows" / "histories").glob("*.json"))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_histories_replay_if_keys_came_while_they_ran(path: Path) -> None:
    """Their first half is as it was recorded, the second encrypted."""
    keys = PayloadKeys.of(BOTH)
    history = json.loads(path.read_text())
    later = history["events"][len(history["events"]) // 2 :]
    assert await encrypt(later, EncryptingCodec(keys)) > 0
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=workflow_runner(),
        data_converter=payload_codec.converter(keys),
    )
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, json.dumps(history)))


async def encrypt(value: Any, by: EncryptingCodec) -> int:
    """Encrypt the payloads of a history in JSON, in place, but not what the SDK's core writes for
    itself; returns how many."""
    count = 0
    for name, part in value.items() if isinstance(value, dict) else enumerate(value):
        if name in ("data", "patch-data"):
            continue
        if isinstance(part, dict) and isinstance(part.get("payloads"), list):
            sealed = Payloads(
                payloads=await by.encode(json_format.ParseDict(part, Payloads()).payloads)
            )
            part["payloads"] = json_format.MessageToDict(sealed)["payloads"]
            count += len(part["payloads"])
        elif isinstance(part, dict | list):
            count += await encrypt(part, by)
    return count


def settings(**given: Any) -> Settings:
    return Settings.model_validate(
        {"LATCHKEY_TEMPORAL_KEYS": BOTH, "LATCHKEY_TEMPORAL_UI_URL": f"{UI}/path/", **given}
    )


def asking(**given: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=codec_server.app(settings(**given)))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8234")


def sent(*payloads: Payload) -> Any:
    return json_format.MessageToDict(Payloads(payloads=payloads))


async def test_the_codec_server_speaks_temporals_protocol(folder: Path) -> None:
    sealed = await codec(OLD).encode([payload()])
    async with asking() as client:
        headers = {"Origin": UI, "X-Namespace": "default"}
        answer = await client.post("/decode", json=sent(*sealed, payload()), headers=headers)
        assert answer.json() == sent(payload(), payload())
        assert answer.headers["access-control-allow-origin"] == UI
        encoded = await client.post("/default/encode", json=sent(payload()), headers=headers)
        assert (
            encoded.json()["payloads"][0]["metadata"]["encoding"]
            == base64.b64encode(b"binary/encrypted").decode()
        )
        again = await client.post("/default/decode", json=encoded.json())
        assert again.json() == sent(payload())
        unread = await codec(f"other:{FIRST}").encode([payload()])
        refused = await client.post("/decode", json=sent(*unread), headers=headers)
        assert (refused.status_code, "the key other" in refused.text) == (400, True)
        mixed = await client.post("/decode", json=sent(*unread, *sealed), headers=headers)
        assert mixed.json() == sent(*unread, payload()), "one doesn't hide its neighbours"
        for body in (b"", b"[]", b"1", b"{", b'{"payloads": 1}', b"\xff", b"[" * 9999):
            assert (await client.post("/decode", content=body)).status_code == 400, body
        too_much = b" " * (codec_server.MOST_BYTES + 1)
        assert (await client.post("/decode", content=too_much)).status_code == 413
        assert (await client.get("/decode")).status_code == 405
        assert (await client.get("/healthz")).status_code == 200


async def test_the_codec_server_answers_temporals_ui_alone(folder: Path) -> None:
    async with asking() as client:
        preflight = {"Access-Control-Request-Method": "POST"}
        preflight |= {"Access-Control-Request-Headers": "content-type,x-namespace,authorization"}
        asked = await client.options("/decode", headers=preflight | {"Origin": UI})
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == UI
        for origin in (
            "https://evil.example",
            "null",
            f"{UI}.evil.example",
            "http://127.0.0.1:8234",
        ):
            asked = await client.options("/decode", headers=preflight | {"Origin": origin})
            assert "access-control-allow-origin" not in asked.headers
            simple = {"Origin": origin, "Content-Type": "text/plain"}
            answer = await client.post("/decode", json=sent(payload()), headers=simple)
            assert answer.status_code == 403


async def test_the_codec_server_asks_for_its_token(folder: Path) -> None:
    async with asking(LATCHKEY_CODEC_TOKEN=TOKEN, LATCHKEY_CODEC_HOST="0.0.0.0") as client:
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = await client.post("/decode", json=sent(payload()), headers=header)
            assert answer.status_code == 401
        header = {"Authorization": f"Bearer {TOKEN}"}
        answer = await client.post("/decode", json=sent(payload()), headers=header)
        assert answer.json() == sent(payload())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "codec", "192.168.1.2"])
def test_without_a_token_the_codec_server_stays_on_this_machine(folder: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="LATCHKEY_CODEC_TOKEN is not set"):
        codec_server.app(settings(LATCHKEY_CODEC_HOST=host))
    codec_server.app(settings(LATCHKEY_CODEC_HOST=host, LATCHKEY_CODEC_TOKEN="none"))
    with pytest.raises(ValueError, match="at least 16 characters, or be none"):
        settings(LATCHKEY_CODEC_TOKEN="short")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_on_this_machine_no_token_is_needed(folder: Path, host: str) -> None:
    async with asking(LATCHKEY_CODEC_HOST=host) as client:
        assert (await client.post("/decode", json=sent(payload()))).status_code == 200


def test_without_keys_there_is_no_codec_server(folder: Path) -> None:
    with pytest.raises(SettingsError, match="LATCHKEY_TEMPORAL_KEYS is not set"):
        codec_server.app(settings(LATCHKEY_TEMPORAL_KEYS=""))


async def test_clients_encrypt_only_with_keys(folder: Path) -> None:
    plain = await temporal.connect(lazy=True)
    assert plain.data_converter.payload_codec is None
    client = await temporal.connect(keys=PayloadKeys.of(OLD), lazy=True)
    (sealed,) = await client.data_converter.encode(["sub_123"])
    assert sealed.metadata["encoding"] == b"binary/encrypted"
    assert await client.data_converter.decode([sealed]) == ["sub_123"]
