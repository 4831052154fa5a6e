/**
 * Plaintext of the ratchet's header (PROTOCOL 8): one size, whatever it says, so that the post-quantum half never shows.
 *
 *     0 ratchet key(32)      32 previous count(4)   36 count(4)         40 floor(4)        44 tag counter(8)
 *    52 serial(8)            60 highest serial of the reader's that was opened(8)
 *    68 pq epoch(4)          72 pq count(4)         76 highest pq epoch held(4)
 *    80 piece type(1)        81 piece epoch(4)      85 piece(1184)     1269 piece MAC(32)     1301 end
 * Integers are big-endian; a shorter piece is followed by zeros.
 */
import { concat, readUint, u8, u32, u64 } from '../crypto/bytes.ts'
import { KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_BYTES } from '../crypto/kem.ts'
import { ForgedError } from '../errors.ts'

export const HEADER_BYTES = 1301
export const PIECE_TYPE = { none: 0, encapsulationKey: 1, ciphertext: 2 } as const
/** Tag counter and serials end here, so that no friend can bring ours to their end. */
export const MAX_HEADER_COUNTER = 2 ** 48
const PIECE_BYTES = [0, KEM_PUBLIC_BYTES, KEM_CIPHERTEXT_BYTES]

export interface HeaderPiece {
  type: number
  epoch: number
  /** Encapsulation key of 1184 or ciphertext of 1088 bytes. */
  bytes: Uint8Array
  /** 32 bytes. */
  mac: Uint8Array
}

export interface RatchetHeader {
  ratchetKey: Uint8Array
  previousCount: number
  count: number
  floor: number
  tagCounter: number
  serial: number
  highestSerialOpened: number
  pqEpoch: number
  pqCount: number
  highestPqEpoch: number
  piece: HeaderPiece | undefined
}

/** @throws RangeError when a part has not its length (the caller's mistake) */
export function encodeHeader(header: RatchetHeader): Uint8Array {
  for (const counter of [header.tagCounter, header.serial, header.highestSerialOpened]) {
    if (counter > MAX_HEADER_COUNTER) throw new RangeError(`expected a counter of at most 2^48, got ${counter}`)
  }
  const piece = header.piece
  if (piece && (piece.type === PIECE_TYPE.none || piece.bytes.length !== PIECE_BYTES[piece.type])) {
    throw new RangeError(`expected a piece of its type's length, got ${piece.bytes.length} bytes of type ${piece.type}`)
  }
  const room = new Uint8Array(KEM_PUBLIC_BYTES)
  if (piece) room.set(piece.bytes)
  const encoded = concat(
    header.ratchetKey,
    u32(header.previousCount),
    u32(header.count),
    u32(header.floor),
    u64(header.tagCounter),
    u64(header.serial),
    u64(header.highestSerialOpened),
    u32(header.pqEpoch),
    u32(header.pqCount),
    u32(header.highestPqEpoch),
    u8(piece?.type ?? PIECE_TYPE.none),
    u32(piece?.epoch ?? 0),
    room,
    piece?.mac ?? new Uint8Array(32),
  )
  if (encoded.length !== HEADER_BYTES || header.ratchetKey.length !== 32) {
    throw new RangeError(`expected a header of ${HEADER_BYTES} bytes, got ${encoded.length}`)
  }
  return encoded
}

/** @throws ForgedError for anything that `encodeHeader` cannot have made */
export function decodeHeader(bytes: Uint8Array): RatchetHeader {
  if (bytes.length !== HEADER_BYTES) throw new ForgedError()
  try {
    const type = bytes[80]!
    const pieceLength = PIECE_BYTES[type]
    if (pieceLength === undefined) throw new ForgedError()
    const rest = bytes.subarray(85 + pieceLength, type === PIECE_TYPE.none ? HEADER_BYTES : 1269)
    if (rest.some((byte) => byte !== 0)) throw new ForgedError()
    const epoch = readUint(bytes, 81, 4)
    if (type === PIECE_TYPE.none && epoch !== 0) throw new ForgedError()
    for (const offset of [44, 52, 60]) if (readUint(bytes, offset, 8) > MAX_HEADER_COUNTER) throw new ForgedError()
    return {
      ratchetKey: bytes.slice(0, 32),
      previousCount: readUint(bytes, 32, 4),
      count: readUint(bytes, 36, 4),
      floor: readUint(bytes, 40, 4),
      tagCounter: readUint(bytes, 44, 8),
      serial: readUint(bytes, 52, 8),
      highestSerialOpened: readUint(bytes, 60, 8),
      pqEpoch: readUint(bytes, 68, 4),
      pqCount: readUint(bytes, 72, 4),
      highestPqEpoch: readUint(bytes, 76, 4),
      piece:
        type === PIECE_TYPE.none
          ? undefined
          : { type, epoch, bytes: bytes.slice(85, 85 + pieceLength), mac: bytes.slice(1269, 1301) },
    }
  } catch {
    throw new ForgedError()
  }
}
