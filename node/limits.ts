/**
 * Every bound of Kith, in two blocks: what the protocol fixes (both sides must agree) and what this implementation
 * chooses. The unit stands in the name. Sections are PROTOCOL's.
 */

// ---- the protocol's ----

/** The one version that is spoken. */
export const PROTOCOL_VERSION = 1

/** A record in the DHT, signature included (2). */
export const MAX_RECORD_BYTES = 4096
/** A rendezvous record, always (9). */
export const RENDEZVOUS_BYTES = 512
export const MAX_IDENTITY_RECORD_DAYS = 90
export const MAX_PREKEY_RECORD_DAYS = 30
export const MAX_KEY_EVENTS = 8
export const MAX_DEVICES = 5
export const MAX_REVOKED_DEVICES = 16
export const MAX_RELAYS = 4
export const MAX_ADDRESSES = 4
/** A multiaddr as text. */
export const MAX_ADDRESS_BYTES = 120
/** A libp2p peer ID as multihash bytes. */
export const MAX_PEER_ID_BYTES = 42
/** A record whose sequence lies further ahead of protocol time is refused (2). */
export const MAX_RECORD_AHEAD_SECONDS = 3600

/** Prekeys (1): a new one every week, valid for 30 days, the secret destroyed after 45. */
export const PREKEY_ROTATION_DAYS = 7
export const PREKEY_VALID_DAYS = 30
export const PREKEY_DESTROYED_DAYS = 45

/** Canonical CBOR (2): nested containers, and items (keys, values and containers) of one message. */
export const MAX_CBOR_DEPTH = 8
export const MAX_CBOR_ITEMS = 32_768

/** Envelope sizes (4); a leg of the handshake has its own. */
export const ENVELOPE_BYTES = [4096, 16384, 65536] as const
export const LEG_BYTES = 8192
/** Text of one message in UTF-8: the largest that fits the largest envelope with all optional fields full. */
export const MAX_TEXT_BYTES = 60_000
export const MAX_NOTE_BYTES = 280
export const MAX_NAME_BYTES = 64
export const MAX_PARENTS = 8
export const MAX_LAMPORT = 2 ** 48
export const MAX_RECEIPT_IDS = 128
/** Longest time to live of an envelope (6). */
export const MAX_ENVELOPE_DAYS = 30
/** Tags of a direction that a reader knows ahead of and behind the highest counter seen (4). */
export const TAG_WINDOW = 128

/** Postage of an envelope of 4096 bytes; each doubling of the size adds one bit (5). */
export const ENVELOPE_POSTAGE_BITS = 10
/** Postage of CLAIM, REQUEST and of handing in a RECORD (6). */
export const CLAIM_POSTAGE_BITS = 18

/** Relays that one message is put at, and receipts that count as custody (6). */
export const MAX_CUSTODY_RELAYS = 3
export const MAX_STAT_CIDS = 256
export const MAX_ACK_CIDS = 256
export const MAX_SUBSCRIBE_ADDRESSES = 2048
/** Copies answered in one window of FETCH or PULL (6). */
export const WINDOW_BYTES = 256 * 1024
export const CHALLENGE_RENEW_SECONDS = 600
export const CHALLENGE_ACCEPT_SECONDS = 1200

/** A first leg expires for being opened, a one-time key is kept (7). */
export const LEG1_DAYS = 14
export const ONE_TIME_KEY_DAYS = 60

/** A rekey number that one side claims may lie this far above the other's: more is no accident (7). */
export const MAX_REKEY_STEP = 65_536

/** Ratchet (8). */
export const MAX_SKIPPED_AT_ONCE = 1000
export const MAX_SKIPPED_KEYS = 2000
export const MAX_DEAD_STEPS = 100_000
export const SKIPPED_KEY_DAYS = 31
export const MAX_SESSIONS_PER_FRIEND = 4

// ---- ours ----

/**
 * A post-quantum epoch gives way to the next after so many messages, sealed and opened together, or so much time (8). Lower
 * heals sooner and costs a key pair, an encapsulation and a decapsulation more often.
 */
export const PQ_EPOCH_MESSAGES = 64
export const PQ_EPOCH_SECONDS = 86_400
/**
 * Post-quantum epochs whose late messages still open, the current one among them. Lower loses mail that was held back while
 * the epochs turned; higher keeps keys for longer.
 */
export const KEPT_PQ_EPOCHS = 8
/** A frame of the mailbox protocol: a window of copies and its envelope of CBOR. */
export const MAX_FRAME_BYTES = 384 * 1024
/** Postage that we are ready to pay; a server that asks for more is answered with `price`. */
export const MAX_PAID_BITS = 24
/** Requests of one stream that a server works on or holds at once. */
export const MAX_PIPELINED_REQUESTS = 64
/** Own identity records kept, so that a request made for an older one can be read; and their row with the other own keys. */
export const MAX_OWN_RECORDS = 64
export const MAX_OWN_KEYS_BYTES = 512 * 1024
/** Records of strangers whose best version is remembered, and records that are pinned: own, and those of contacts. */
export const MAX_REMEMBERED_RECORDS = 1000
export const MAX_PINNED_RECORDS = 4096
/** Values that are looked at from one source of a lookup. */
export const MAX_VALUES_PER_LOOKUP = 64
/** Sources of time that are compared. */
export const MAX_TIME_SOURCES = 16
export const MAX_INCOMING_REQUESTS = 64
/** Of those, the ones that came through the open box: strangers leave room for people with an invite. */
export const MAX_REQUESTS_THROUGH_BOX = 48
export const MAX_REQUESTS_PER_INVITE = 16
export const MAX_LIVE_INVITES = 64
export const MIN_INVITE_SECONDS = 60
export const MAX_FRIENDS = 1000
export const MAX_UNACKNOWLEDGED_PER_FRIEND = 1000
/** The secret of a mailbox is replaced when it is this old, or the friend has written so much since it was made (3). */
export const MAILBOX_LIFE_DAYS = 28
export const MAILBOX_MESSAGES = 1000
/** Mailboxes that are read of one friend, those included that only run dry; none is replaced above that. */
export const MAX_MAILBOXES_PER_FRIEND = 8
/** Mailboxes that were written before the present one, whose relays are still asked what became of the mail in them. */
export const MAX_FORMER_MAILBOXES = 3
/** Unacknowledged messages that are published again when a friend is heard after a silence; the relays hold the rest. */
export const MAX_REPUBLISHED = 64
/** Steps that are kept of the way of one message; above, the middle gives way. */
export const MAX_TRAIL_STEPS = 40
/** Mailbox servers of whom something is remembered: that they dropped mail (with the proof), or are away. */
export const MAX_KNOWN_RELAYS = 128
/** Puts that are on their way to one server at once, for all friends together. */
export const MAX_PUTS_IN_FLIGHT = 48
/** Tags that are left out after a run that did not end by itself: more than a disk that lied about its syncs can have lost (4). */
export const SKIPPED_TAGS = 1000
/** Envelopes written by one synced batch when a mailbox is drained (6). */
export const MAX_BATCH_ENVELOPES = 64
/** Mailboxes given up that a server does not know of yet. */
export const MAX_PENDING_RELEASES = 4096
/** Rows of the event log; the oldest leave first. */
export const MAX_EVENTS = 100_000
/** Envelopes seen on gossip that are remembered. */
export const MAX_GOSSIP_SEEN = 20_000
/** Gossip envelopes that wait for the inbox; what comes above is ignored, the relays hold it. */
export const MAX_GOSSIP_QUEUE = 1000

/** Messages that came to a place in front of what was read and are unread; above, the first of them count as read. */
export const MAX_LATE_UNREAD = 64
/** Texts that were begun and not sent, one a conversation. */
export const MAX_DRAFTS = 64
/** Days that a policy may name (6). */
export const MAX_POLICY_DAYS = 365
/** Source prefixes that an operator turns away. */
export const MAX_BANNED_SOURCES = 1024

/** Keys under which programs sent messages: how many are remembered, and how long at least. */
export const MAX_SEND_KEYS = 100_000
export const SEND_KEY_DAYS = 7
/** Programs that go on in the event log where they were. */
export const MAX_CONSUMERS = 64
export const MAX_CONSUMER_NAME_BYTES = 200

/** The local API: a request line, an answer line, and what one process may hold open. */
export const MAX_API_REQUEST_BYTES = 1024 * 1024
export const MAX_API_ANSWER_BYTES = 32 * 1024 * 1024
export const MAX_API_CONNECTIONS = 64
/** Requests of one connection that are worked on at once; the next are not read before one is answered. */
export const MAX_API_PENDING = 64
export const MAX_API_BATCH = 64
export const MAX_API_SUBSCRIPTIONS = 8
/** Live events that wait for a slow subscriber; above, they are read from the log again. */
export const MAX_API_QUEUE = 256
/** Tokens for programs; pages in browsers that are signed in, and how long one stays so. */
export const MAX_API_TOKENS = 64
export const MAX_PAGE_SESSIONS = 16
export const PAGE_SESSION_DAYS = 30
export const MAX_TOKEN_NAME_BYTES = 64
/** HTTP on the loopback: connections, bytes of headers, event streams of all callers and of one. */
export const MAX_HTTP_CONNECTIONS = 128
export const MAX_HTTP_HEADER_BYTES = 8192
export const MAX_HTTP_STREAMS = 32
export const MAX_HTTP_STREAMS_PER_CALLER = 8
/** Calls that one caller may make in a burst, and again each second; each of a batch counts. */
export const HTTP_CALL_BURST = 500
export const HTTP_CALLS_PER_SECOND = 100
/** Wrong tokens and keys of all callers together, in a burst and again each second. */
export const HTTP_FAILURE_BURST = 20
export const HTTP_FAILURES_PER_SECOND = 0.5
/** Keys that open the page, each for one browser: how many wait at once, and how long. */
export const MAX_PAGE_KEYS = 8
export const PAGE_KEY_SECONDS = 60
/** The files of the page, together. */
export const MAX_PAGE_BYTES = 8 * 1024 * 1024
/** Messages, and bytes of text, in one page of history. */
export const MAX_HISTORY_PAGE = 200
export const MAX_HISTORY_PAGE_BYTES = 4 * 1024 * 1024
/** Messages that one search looks through, of all conversations together; the newest first. */
export const MAX_SEARCHED_MESSAGES = 100_000
/** UTF-16 units of text in one page of events. */
export const MAX_EVENT_PAGE_UNITS = 2 * 1024 * 1024
/** Characters of the last message that a list of conversations shows. */
export const MAX_PREVIEW_CHARACTERS = 280
export const MAX_WAIT_SECONDS = 3600

/** The store: a row's place and value, and the bytes of writes that are synced together. */
export const MAX_POSITION_BYTES = 24
export const MAX_VALUE_BYTES = 1024 * 1024
export const MAX_GROUP_COMMIT_BYTES = 4 * 1024 * 1024
/** The vault file, and the passphrase that opens it. */
export const MAX_VAULT_BYTES = 1024
export const MIN_PASSPHRASE_CHARACTERS = 8
export const MAX_PASSPHRASE_BYTES = 1024
/** The config file, and the addresses of one of its lists. */
export const MAX_CONFIG_BYTES = 64 * 1024
export const MAX_CONFIG_ADDRESSES = 32
/** Changed keys of the terminal chat. */
export const MAX_CONFIG_KEYS = 100
/** A log file; the one before it is kept beside it. */
export const MAX_LOG_BYTES = 8 * 1024 * 1024
