#!/bin/bash
# Slack, from outside: the real program connects to a local Slack, acks what it stores, and moves
# its connection between the backends. TAP.
set -u
. "$(dirname "$0")/lib.sh" || exit 99
peer=$build/tests/e2e/local_slack

backends=
for b in legacy region; do has_backend $b && backends="$backends $b"; done
set -- $backends
first=$1 other=${2-}

mkfifo in
"$peer" "${other:-$first}" <in >said 2>peer.log &
peer_pid=$!
others=$peer_pid
exec 7>in
trap 'exec 7>&-; clean_up' EXIT # the local Slack ends with its input
until [ -s said ]; do
	kill -0 $peer_pid 2>/dev/null || { echo "Bail out! no local Slack: $(cat peer.log)"; exit 99; }
	read -r -t 0.02 <> <(:)
done
api=$(head -1 said)

config() { # TOKEN
	cat >quotey.conf <<CONF
[database]
url = sqlite://$dir/quotey.db
[security]
key_file = $dir/quotey.key
[slack]
enabled = true
api_base_url = $api
app_token = $1
bot_token = xoxb-local
[runtime]
backend = $first
CONF
}
health() { curl -s "$control/health/ready"; }
metrics() { curl -s "$control/metrics"; }
send() { # ENVELOPE TRIGGER
	echo "{\"envelope_id\":\"$1\",\"type\":\"slash_commands\",\"payload\":{\"trigger_id\":\"$2\"}}" >&7
}
acked() { # ENVELOPE...
	local id
	for id in "$@"; do until_like grep -x "ack $id" said "^ack $id" || return 1; done
}

config xapp-local
begin log --config quotey.conf
check $? 'the program starts with slack switched on'
until_like health '"slack":"connected"'
check $? 'health says that it is connected'
like "$out" '"status":"ready"' 'and ready'
send E1 T1
send E2 T2
send E3 T3
acked E1 E2 E3
check $? 'what Slack sends is acked'
send E4 T1
acked E4
check $? 'also what it sends again'
until_like metrics 'quotey_slack_received_total 3.*quotey_slack_duplicates_total 1.*quotey_slack_acks_total 4'
check $? 'metrics count what was stored, known, and acked'
like "$out" 'quotey_slack_state.state="connected". 1' 'and tell the state'

if [ -n "$other" ]; then
	for i in 1 2 3 4 5 6 7 8 9 10; do send "A$i" "A$i"; done
	run runtime set slack="$other" --control "$control" --config quotey.conf --json
	for i in 1 2 3 4 5 6 7 8 9 10; do send "B$i" "B$i"; done
	like "$rc $out" '^0 .*"to":"'"$other"'"' 'the component moves to the other backend'
	until_like health '"slack":"connected"'
	check $? 'and is connected there'
	acked A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10
	check $? 'nothing that was sent around the move is lost'
	run runtime rollback slack --control "$control" --config quotey.conf --json
	send C1 C1
	acked C1
	check $? 'it comes back'
	until_like metrics 'quotey_slack_received_total 24[^0-9]'
	check $? 'and each was stored once'
fi
finish
like "$rc $out" '^0 .*"tasks_live":0,"regions_live":0,"ops_live":0,"streams_live":0' 'TERM ends it, and nothing is left'
! grep -q 'xapp-\|ticket=' log
check $? 'neither the token nor a URL of a connection is in the log'

config xapp-wrong
begin log --config quotey.conf
check $? 'the program starts with a token that is no good'
until_like health '"slack":"degraded","status":"degraded"'
check $? 'health says degraded'
is "$(curl -s -o /dev/null -w '%{http_code}' "$control/health/ready")" 200 'which is no reason to take it down'
like "$(cat log)" 'invalid_auth' 'the log says why'
run runtime status --control "$control" --config quotey.conf
like "$rc $out" '^0 .*slack' 'the component is listed'
finish
is "$rc" 0 'it ends well all the same'

exec 7>&-
wait $peer_pid
is $? 0 'the local Slack has lost nothing of its own'
others=
like "$(tail -1 said)" '^connections [0-9]+ at most [12]$' 'there were never more than two connections'

echo "1..$tests"
[ -z "$failed" ]
