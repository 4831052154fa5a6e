/*
 * Plaintext of the header of a message (section 8): 1301 bytes, all of which are checked.
 */
import { concat, must, readUint, split, u32, u64, u8, zeros } from './bytes.ts'
import { isZero } from './primitives.ts'

/** Piece types. */
export const PIECE = { key: 1, ciphertext: 2 } as const

/** Plaintext of a header. */
export const HEADER_BYTES = 1301
const ROOM = 1184
const PIECE_BYTES: Record<number, number> = { [PIECE.key]: 1184, [PIECE.ciphertext]: 1088 }
const WIDTHS = [32, 4, 4, 4, 8, 8, 8, 4, 4, 4, 1, 4, ROOM, 32] as const
const MAX_COUNTER = 2 ** 48

/** A piece of the next epoch. */
export interface Piece {
  type: number
  epoch: number
  bytes: Uint8Array
  mac: Uint8Array
}

/** A header, under the names of the vectors. */
export interface Header {
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
  piece?: Piece
}

/** Writes a header. */
export function writeHeader(header: Header): Uint8Array {
  const { piece } = header
  const room = piece ? concat(piece.bytes, zeros(ROOM - piece.bytes.length)) : zeros(ROOM)
  return concat(
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
    u8(piece?.type ?? 0),
    u32(piece?.epoch ?? 0),
    room,
    piece?.mac ?? zeros(32),
  )
}

function readPiece(type: number, epoch: number, room: Uint8Array, mac: Uint8Array): Piece | undefined {
  if (type === 0) {
    must(epoch === 0 && isZero(room) && isZero(mac), 'zeros without a piece')
    return undefined
  }
  const length = PIECE_BYTES[type]
  must(length !== undefined, 'piece types are 0, 1 and 2')
  must(isZero(room.slice(length)), 'zeros follow a shorter piece')
  return { type, epoch, bytes: room.slice(0, length), mac }
}

/** Reads and checks a header. */
export function readHeader(bytes: Uint8Array): Header {
  must(bytes.length === HEADER_BYTES, 'a header has 1301 bytes')
  const [ratchetKey, ...parts] = split(bytes, WIDTHS)
  const number = (i: number): number => readUint(parts[i] ?? zeros(0), 0, parts[i]?.length ?? 1)
  const header: Header = {
    ratchetKey,
    previousCount: number(0),
    count: number(1),
    floor: number(2),
    tagCounter: number(3),
    serial: number(4),
    highestSerialOpened: number(5),
    pqEpoch: number(6),
    pqCount: number(7),
    highestPqEpoch: number(8),
  }
  const piece = readPiece(number(9), number(10), parts[11] ?? zeros(0), parts[12] ?? zeros(0))
  if (piece) header.piece = piece
  must(header.floor <= header.count, 'the floor is not above the count')
  must(header.highestPqEpoch >= header.pqEpoch, 'the highest epoch is not below pq epoch')
  for (const counter of [header.tagCounter, header.serial, header.highestSerialOpened])
    must(counter <= MAX_COUNTER, 'a counter above 2^48')
  return header
}
