"""Says back what friends say: KITH_URL=http://127.0.0.1:4380 KITH_TOKEN=kith_… python3 echo.py"""
import json, os, urllib.request

def ask(path, body=None):
    headers = {"Authorization": "Bearer " + os.environ["KITH_TOKEN"], "Content-Type": "application/json"}
    return urllib.request.urlopen(urllib.request.Request(os.environ["KITH_URL"] + path, body, headers))

def call(method, **params):
    return json.load(ask("/rpc", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()))

for event in (json.loads(line[6:]) for line in ask("/events?consumer=echo-py&kinds=message") if line.startswith(b"data: ")):
    said = event.get("detail", {})
    if said.get("direction") == "in" and said["type"] == "text":
        call("message.send", who=said["from"], text="you said: " + said["text"], idempotencyKey="echo-py " + said["messageId"])
    call("events.ack", consumer="echo-py", cursor=event.get("cursor", 0))
