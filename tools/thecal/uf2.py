"""UF2: the container in which the boot loader of the RP2040 takes an image, 512 bytes a block.

The rules checked here are those of the boot ROM (RP2040 datasheet, "UF2 Format Details"): payloads of 256
bytes at addresses that are multiples of 256, the RP2040 family id in every block, blocks numbered without a
gap. An image that breaks one of them is ignored by a real board without a word, so it is refused here, where
the reason can be told.
"""

from __future__ import annotations

import struct

BLOCK_BYTES = 512
PAYLOAD_BYTES = 256
FAMILY_RP2040 = 0xE48BFF56
FLASH_START = 0x1000_0000
# On a Pico the littlefs partition begins here; an image that reached so far would be erased by its own file
# system.
PROGRAM_BYTES = 0xA_0000

_MAGIC_START = (0x0A324655, 0x9E5D5157)
_MAGIC_END = 0x0AB16F30
_HEADER = struct.Struct("<8I")
_END = struct.Struct("<I")
_FLAG_NOT_MAIN_FLASH = 0x0000_0001
_FLAG_FAMILY = 0x0000_2000
_ERASED = 0xFF


class Uf2Error(ValueError):
    """The data is no UF2 image that a Pico would take."""


def to_uf2(binary: bytes) -> bytes:
    """Wrap a flat binary that starts where the flash does. Raises Uf2Error if it is empty or too long."""
    if not 0 < len(binary) <= PROGRAM_BYTES:
        raise Uf2Error(f"binary of {len(binary)} bytes: 1 to {PROGRAM_BYTES} are possible")
    count = -(-len(binary) // PAYLOAD_BYTES)
    blocks = []
    for number in range(count):
        offset = number * PAYLOAD_BYTES
        header = _HEADER.pack(
            *_MAGIC_START, _FLAG_FAMILY, FLASH_START + offset, PAYLOAD_BYTES, number, count, FAMILY_RP2040
        )
        payload = binary[offset : offset + PAYLOAD_BYTES]
        blocks.append((header + payload).ljust(BLOCK_BYTES - _END.size, b"\0") + _END.pack(_MAGIC_END))
    return b"".join(blocks)


def from_uf2(data: bytes) -> bytes:
    """Return the flash content of an RP2040 image from the start of the flash; gaps are erased (0xFF).

    Raises Uf2Error naming the block and the field, with the value found and the one allowed.
    """
    if not data or len(data) % BLOCK_BYTES:
        raise Uf2Error(f"length {len(data)} bytes: must be a positive multiple of {BLOCK_BYTES}")
    count = len(data) // BLOCK_BYTES
    payloads: dict[int, bytes] = {}
    for number in range(count):
        block = data[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        offset = _checked_offset(block, number, count)
        if offset in payloads:
            raise Uf2Error(f"block {number}: address {FLASH_START + offset:#x} is written twice")
        payloads[offset] = block[_HEADER.size : _HEADER.size + PAYLOAD_BYTES]
    if 0 not in payloads:
        raise Uf2Error(f"nothing at {FLASH_START:#x}, from where the RP2040 starts")
    content = bytearray([_ERASED]) * (max(payloads) + PAYLOAD_BYTES)
    for offset, payload in payloads.items():
        content[offset : offset + PAYLOAD_BYTES] = payload
    return bytes(content)


def _checked_offset(block: bytes, number: int, count: int) -> int:
    """Return where in the flash the payload of one block belongs, in bytes from the start of the flash."""
    magic_0, magic_1, flags, address, size, own_number, own_count, family = _HEADER.unpack_from(block)
    (magic_end,) = _END.unpack_from(block, BLOCK_BYTES - _END.size)
    if (magic_0, magic_1) != _MAGIC_START or magic_end != _MAGIC_END:
        raise Uf2Error(f"block {number}: magic numbers missing, this is no UF2 file")
    if not flags & _FLAG_FAMILY or family != FAMILY_RP2040:
        raise Uf2Error(
            f"block {number}: family {family:#010x} (flags {flags:#x}), must be RP2040, {FAMILY_RP2040:#010x}"
        )
    if flags & _FLAG_NOT_MAIN_FLASH:
        raise Uf2Error(f"block {number}: flags {flags:#x} say that it is not for the flash")
    if size != PAYLOAD_BYTES:
        raise Uf2Error(f"block {number}: payload of {size} bytes, must be {PAYLOAD_BYTES}")
    if (own_number, own_count) != (number, count):
        raise Uf2Error(f"block {number} of {count} calls itself {own_number} of {own_count}")
    offset = address - FLASH_START
    if offset % PAYLOAD_BYTES or not 0 <= offset <= PROGRAM_BYTES - PAYLOAD_BYTES:
        last = FLASH_START + PROGRAM_BYTES - PAYLOAD_BYTES
        raise Uf2Error(
            f"block {number}: address {address:#x}, must be a multiple of {PAYLOAD_BYTES}"
            f" in {FLASH_START:#x} to {last:#x}"
        )
    return offset
