/**
 * The tokens with which programs and the page call this node over HTTP. A token is shown once; kept are its SHA-256, which
 * is enough for 256 random bits, and what it is good for. All of them lie in one row: they are few, and one that was
 * revoked must not come back alone.
 */
import type { Scope } from '../api/caller.ts'
import { SCOPES } from '../api/caller.ts'
import type { KnownToken, NewToken, TokenView } from '../api/service.ts'
import { equal, toHex, utf8 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { UsageError } from '../errors.ts'
import { MAX_API_TOKENS, MAX_PAGE_SESSIONS, MAX_TOKEN_NAME_BYTES, PAGE_SESSION_DAYS } from '../limits.ts'
import { type Clock, type Random, type RowKey, type Store, TABLE } from '../ports.ts'
import { bytes, decode, encode, type Infer, list, optional, struct, text, uint } from '../wire/schema.ts'

const ROW: RowKey = { table: TABLE.meta, scope: utf8('tokens'), position: new Uint8Array(0) }
const ID_BYTES = 8
const DAY_MS = 86_400_000

const tokenRow = struct({
  tokenId: [1, bytes(ID_BYTES)],
  name: [2, text(MAX_TOKEN_NAME_BYTES)],
  /** A bit for each of SCOPES. */
  scopes: [3, uint(2 ** SCOPES.length - 1)],
  /** ID of the friend, as text. */
  conversation: [4, optional(text(128))],
  createdAt: [5, uint()],
  hash: [6, bytes(32)],
  /** It belongs to a page in a browser, and ends by itself. */
  page: [7, optional(uint(1))],
})
const MAX_ROWS = MAX_API_TOKENS + MAX_PAGE_SESSIONS
const row = struct({ tokens: [1, list(tokenRow, MAX_ROWS)] })
const MAX_ROW_BYTES = MAX_ROWS * 512

type Token = Infer<typeof tokenRow>

interface TokenBookInit {
  store: Store
  clock: Clock
  random: Random
}

export class TokenBook {
  readonly #init: TokenBookInit
  readonly #listeners = new Set<(tokenId: string) => void>()
  #tokens: Token[]
  /** Changes are written one after the other. */
  #writing: Promise<void> = Promise.resolve()

  private constructor(init: TokenBookInit, tokens: Token[]) {
    this.#init = init
    this.#tokens = tokens
  }

  static async open(init: TokenBookInit): Promise<TokenBook> {
    const value = await init.store.get(ROW)
    return new TokenBook(init, value === undefined ? [] : decode(row, value, MAX_ROW_BYTES).tokens)
  }

  /**
   * @param secret what the caller will show, at least 256 random bits; it is not kept
   * @throws UsageError `TOO_MANY`, `TOO_LONG`
   */
  async add({ name, scopes, conversation, isPage = false }: NewToken, secret: string): Promise<TokenView> {
    if (utf8(name).length > MAX_TOKEN_NAME_BYTES) {
      throw new UsageError('TOO_LONG', `the name of a token has at most ${MAX_TOKEN_NAME_BYTES} bytes`)
    }
    const { clock, random } = this.#init
    const token: Token = {
      tokenId: random.bytes(ID_BYTES),
      name,
      scopes: SCOPES.reduce((bits, scope, index) => (scopes.includes(scope) ? bits | (1 << index) : bits), 0),
      conversation,
      createdAt: clock.now(),
      hash: sha256(utf8(secret)),
      page: isPage ? 1 : undefined,
    }
    await this.#change((tokens) => [...withRoom(tokens, isPage), token])
    return view(token)
  }

  list(): TokenView[] {
    return this.#tokens.filter((token) => this.#isAlive(token)).map(view)
  }

  /** @throws UsageError `UNKNOWN_TOKEN` */
  async revoke(tokenId: string): Promise<void> {
    await this.#change((tokens) => {
      const kept = tokens.filter((token) => toHex(token.tokenId) !== tokenId)
      if (kept.length < tokens.length) return kept
      throw new UsageError('UNKNOWN_TOKEN', 'no token has this ID', { hint: '`token.list` shows them' })
    })
  }

  /** The token that a secret belongs to; every one is compared, whichever it is. */
  find(secret: string): KnownToken | undefined {
    const hash = sha256(utf8(secret))
    let found: Token | undefined
    for (const token of this.#tokens) if (equal(token.hash, hash)) found = token
    if (found === undefined || !this.#isAlive(found)) return undefined
    const { tokenId, scopes, conversation } = view(found)
    return { tokenId, scopes: new Set(scopes), ...(conversation !== undefined && { conversation }) }
  }

  /** Calls `listener` with each token that ends; returns what ends that. */
  onEnd(listener: (tokenId: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #isAlive({ page, createdAt }: Token): boolean {
    return page === undefined || this.#init.clock.now() - createdAt < PAGE_SESSION_DAYS * DAY_MS
  }

  async #change(edit: (tokens: Token[]) => Token[]): Promise<void> {
    const change = this.#writing.then(async () => {
      const before = this.#tokens
      const after = edit(before.filter((token) => this.#isAlive(token)))
      await this.#init.store.write([{ key: ROW, value: encode(row, { tokens: after }) }])
      this.#tokens = after
      for (const { tokenId } of before.filter((token) => !after.includes(token))) {
        for (const listener of this.#listeners) listener(toHex(tokenId))
      }
    })
    this.#writing = change.catch(() => undefined)
    await change
  }
}

/** Tokens are refused above their bound; of pages the oldest gives way. */
function withRoom(tokens: Token[], isPage: boolean): Token[] {
  const alike = tokens.filter(({ page }) => (page === 1) === isPage)
  if (alike.length < (isPage ? MAX_PAGE_SESSIONS : MAX_API_TOKENS)) return tokens
  if (isPage) return tokens.filter((token) => token !== alike[0])
  throw new UsageError('TOO_MANY', `there are ${MAX_API_TOKENS} tokens already`, { hint: 'revoke one' })
}

function view({ tokenId, name, scopes, conversation, createdAt, page }: Token): TokenView {
  return {
    tokenId: toHex(tokenId),
    name,
    scopes: SCOPES.filter((_, index) => (scopes & (1 << index)) !== 0) satisfies Scope[],
    ...(conversation !== undefined && { conversation }),
    createdAt,
    isPage: page === 1,
  }
}
