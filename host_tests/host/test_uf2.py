"""The UF2 container: what we write is what a Pico takes, and what a Pico would silently ignore is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thecal.uf2 import FAMILY_RP2040, FLASH_START, PROGRAM_BYTES, Uf2Error, from_uf2, to_uf2

pytestmark = pytest.mark.requirement("F14")

THREE_BLOCKS = bytes(range(256)) * 3


def patched(offset: int, value: int, block: int = 1) -> bytes:
    """Return a good image of three blocks with one 32-bit word of one block replaced."""
    data = bytearray(to_uf2(THREE_BLOCKS))
    struct.pack_into("<I", data, block * 512 + offset, value)
    return bytes(data)


@given(st.binary(min_size=1, max_size=3000))
def test_content_survives_the_container(binary: bytes) -> None:
    content = from_uf2(to_uf2(binary))
    assert content[: len(binary)] == binary
    assert not any(content[len(binary) :])
    assert len(content) % 256 == 0


def test_every_block_is_laid_out_as_the_boot_rom_wants_it() -> None:
    image = to_uf2(THREE_BLOCKS)
    assert len(image) == 3 * 512
    for number in range(3):
        block = image[number * 512 : (number + 1) * 512]
        address = 0x10000000 + number * 256
        expected = (0x0A324655, 0x9E5D5157, 0x2000, address, 256, number, 3, 0xE48BFF56)
        assert struct.unpack_from("<8I", block) == expected
        assert block[32:288] == bytes(range(256))
        assert block[288:508] == bytes(220)
        assert struct.unpack_from("<I", block, 508) == (0x0AB16F30,)


def test_blocks_in_any_address_order_with_gaps_are_put_together() -> None:
    data = bytearray(to_uf2(b"A" * 256 + b"B" * 256))
    struct.pack_into("<I", data, 12, FLASH_START + 512)
    struct.pack_into("<I", data, 512 + 12, FLASH_START)
    assert from_uf2(bytes(data)) == b"B" * 256 + b"\xff" * 256 + b"A" * 256


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, 0, "magic"),
        (4, 0, "magic"),
        (508, 0, "magic"),
        (8, 0, "family"),
        (8, 0x2001, "not for the flash"),
        (28, 0xE48BFF59, "family 0xe48bff59"),  # RP2350
        (16, 476, "payload of 476 bytes, must be 256"),
        (20, 2, "calls itself 2 of 3"),
        (24, 4, "calls itself 1 of 4"),
        (12, FLASH_START + 128, "multiple of 256"),
        (12, FLASH_START - 256, "address 0xfffff00"),
        (12, 0x20000000, "address 0x20000000"),
        (12, FLASH_START + PROGRAM_BYTES, "address 0x100a0000"),
        (12, FLASH_START, "written twice"),
    ],
)
def test_a_block_the_boot_rom_would_ignore_is_refused_by_number(offset: int, value: int, reason: str) -> None:
    with pytest.raises(Uf2Error, match=f"block 1.*{reason}"):
        from_uf2(patched(offset, value))


def test_an_image_that_does_not_cover_the_start_of_the_flash_is_refused() -> None:
    with pytest.raises(Uf2Error, match="nothing at 0x10000000"):
        from_uf2(patched(12, FLASH_START + 1024, block=0))


@given(st.integers(min_value=0, max_value=3 * 512 - 1))
def test_a_truncated_image_is_refused_wherever_it_ends(length: int) -> None:
    with pytest.raises(Uf2Error):
        from_uf2(to_uf2(THREE_BLOCKS)[:length])


@given(st.binary(max_size=2048))
def test_rubbish_is_refused_with_the_reason_and_nothing_else(data: bytes) -> None:
    with pytest.raises(Uf2Error):
        from_uf2(data)


def test_a_binary_may_fill_the_program_area_and_not_a_byte_more() -> None:
    assert len(from_uf2(to_uf2(bytes(PROGRAM_BYTES)))) == PROGRAM_BYTES
    for length in (0, PROGRAM_BYTES + 1):
        with pytest.raises(Uf2Error, match=f"{length} bytes: 1 to {PROGRAM_BYTES}"):
            to_uf2(bytes(length))


def test_the_family_is_that_of_the_rp2040() -> None:
    assert FAMILY_RP2040 == 0xE48BFF56
