#!/usr/bin/env bash
# Says back what friends say, with curl and jq: KITH_URL=http://127.0.0.1:4380 KITH_TOKEN=kith_… ./echo.sh
# Token and texts go through pipes: arguments can be read by every user of the machine.
set -euo pipefail

auth() { printf 'header = "Authorization: Bearer %s"\n' "$KITH_TOKEN"; }
call() { jq -c '{jsonrpc: "2.0", id: 1, method: $method, params: .}' --arg method "$1" | curl -sS -K <(auth) --json @- "$KITH_URL/rpc"; }

curl -sSN -K <(auth) "$KITH_URL/events?consumer=echo-sh&kinds=message" | sed -un 's/^data: //p' | while read -r event; do
  answer=$(jq -c 'select(.detail.direction == "in" and .detail.type == "text") | .detail
    | {who: .from, text: "you said: \(.text)", idempotencyKey: "echo-sh \(.messageId)"}' <<<"$event")
  [[ -z $answer ]] || call message.send <<<"$answer" >/dev/null
  jq '{consumer: "echo-sh", cursor: (.cursor // 0)}' <<<"$event" | call events.ack >/dev/null
done
