#!/bin/bash
# The switch, from outside: the real program, real sockets, load while components move, the end
# under load, and what a crash may not lose. TAP.
set -u
quotey=${QUOTEY:-./quotey/quotey}
load=${top_builddir:-.}/tests/bench/load
work=$(mktemp -d)
pid=
n=0
cleanup() {
	[ -z "$pid" ] || { kill -9 "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; }
	rm -rf "$work"
}
trap cleanup EXIT

ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() {
	n=$((n + 1))
	echo "not ok $n - $1"
	sed 's/^/# /' "$work/log" | tail -5
}
check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name"; fi
}
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" | head -1; }
q() { "$quotey" "$@" --config "$work/quotey.conf" 2>>"$work/log"; }

# The backends of this build: a move needs both.
built=" $("$quotey" runtime promises | head -1) "
if [[ $built != *" legacy "* || $built != *" region "* ]]; then
	echo "1..0 # SKIP this build has one backend only"
	exit 0
fi

cat >"$work/quotey.conf" <<CONF
[database]
url = sqlite://$work/quotey.db
[web]
port = 0
[control]
port = 0
[security]
key_file = $work/quotey.key
[server]
drain_linger_ms = 200
[runtime]
backend = legacy
CONF
cat >"$work/mix" <<'MIX'
POST /api/v1/quotes {"account_name":"Acme Corp","currency":"USD","lines":[{"product_id":"prd-team","quantity":200}]}
GET /api/v1/quotes/quote-renewal-001
POST /api/v1/quotes/quote-netnew-001/preview
MIX

start() {
	rm -f "$work/ready"
	mkfifo "$work/ready"
	"$quotey" start --config "$work/quotey.conf" >"$work/ready" 2>>"$work/log" &
	pid=$!
	exec 3<"$work/ready"
	read -r -t 30 ready <&3
	web=$(field web <<<"$ready")
	control=$(field control <<<"$ready")
	[ -n "$web" ]
}
load() { # NAME SECONDS
	"$load" --url "$web" --mix "$work/mix" --header "Authorization: Bearer $key" --connections 8 \
		--closed --seconds "$2" --answers "$work/$1.answers" --json >"$work/$1.json" 2>>"$work/log"
}
move() { q runtime set "$1" --control "$control" --json >"$work/move.json"; }
echo "1..16"
: >"$work/log"
check "seed data loads" eval 'q seed >"$work/seed.json"'
key=$(q apikey create --name e2e --scopes quotes:read,quotes:write --rate 1000000 --json | field key)
check "an API key is made" test -n "$key"
check "the program starts on port 0 and says where" start

load legacy 1
check "legacy answers everything" test "$(field failed <"$work/legacy.json")" = 0
load moving 4 &
loader=$!
moved=0
for step in db=region server=region db=legacy server=legacy db=region server=region server=legacy \
	db=legacy server=region db=region; do
	move $step && moved=$((moved + 1))
done
check "ten moves under load succeed" test $moved = 10
wait $loader
check "and not one request failed" test "$(field failed <"$work/moving.json")" = 0
load region 1
check "region answers everything" test "$(field failed <"$work/region.json")" = 0
check "with equal answers" cmp -s "$work/legacy.answers" "$work/region.answers"
q runtime history --control "$control" --json >"$work/history.json"
check "the journal has every move" test "$(grep -o '"component"' "$work/history.json" | wc -l)" -ge 10
check "a rollback goes back" sh -c "'$quotey' runtime rollback server --config '$work/quotey.conf' --control '$control' --json | grep -q '\"to\":\"legacy\"'"

# Creates quotes one after the other until the server is gone; prints the id of each answered 201.
create_quotes() {
	trap "" PIPE
	local answer
	while answer=$(curl -s -o /dev/null -w '%{http_code} %header{location}' -m 10 \
		-H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
		-d '{"account_name":"Acme Corp","currency":"USD","lines":[{"product_id":"prd-team","quantity":1}]}' \
		"$web/api/v1/quotes"); do
		case $answer in "201 "*) echo "${answer##*/}" ;; esac
	done
	echo end
}
# Every id of the file is there.
all_there() {
	local id missing=0
	[ -s "$1" ] || return 1
	while read -r id; do
		curl -s -f -o /dev/null -H "Authorization: Bearer $key" "$web/api/v1/quotes/$id" ||
			missing=$((missing + 1))
	done <"$1"
	[ $missing = 0 ]
}
# end_under_load SIGNAL: sends it after 20 answered creations; leaves the ids in $work/ids.
end_under_load() {
	local id count=0
	: >"$work/ids"
	while read -r id && [ "$id" != end ]; do
		echo "$id" >>"$work/ids"
		count=$((count + 1))
		[ $count = 20 ] && kill -"$1" "$pid"
	done < <(create_quotes)
	wait "$pid" 2>/dev/null
	status=$?
	pid=
}

end_under_load TERM
check "TERM under load ends with 0" test $status = 0
check "it starts again" start
check "nothing that was answered before TERM is lost" all_there "$work/ids"
end_under_load KILL
check "it starts again after kill -9" start
check "no answered write is lost by kill -9" all_there "$work/ids"
kill -TERM "$pid"
wait "$pid"
status=$?
pid=
check "and it stops cleanly" test $status = 0
