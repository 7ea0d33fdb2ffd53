#!/bin/bash
# The switch, from outside: the real program, real sockets, load while components move, the end
# under load, and what a crash may not lose. TAP.
set -u
. "$(dirname "$0")/lib.sh" || exit 99
loadgen=$build/tests/bench/load

# A move needs both.
if ! has_backend legacy || ! has_backend region; then
	echo "1..0 # SKIP this build has one backend only"
	exit 0
fi

cat >quotey.conf <<CONF
[server]
drain_linger_ms = 200
[runtime]
backend = legacy
CONF
cat >mix <<'MIX'
POST /api/v1/quotes {"account_name":"Acme Corp","currency":"USD","lines":[{"product_id":"prd-team","quantity":200}]}
GET /api/v1/quotes/quote-renewal-001
POST /api/v1/quotes/quote-netnew-001/preview
MIX

load() { # NAME SECONDS
	"$loadgen" --url "$web" --mix mix --header "Authorization: Bearer $key" --connections 8 \
		--closed --seconds "$2" --answers "$1.answers" --json >"$1.json" 2>load.err
}
# answers_all NAME WHAT: not one request of that load failed.
answers_all() { like "$(<"$1.json")" '"failed":0[,}]' "$2"; }

run seed
is "$rc" 0 'seed data loads'
run apikey create --name e2e --scopes quotes:read,quotes:write --rate 1000000
key=$out
like "$key" '^qk_' 'an API key is made'
begin log
check $? 'the program starts on port 0 and says where'

load legacy 1
answers_all legacy 'legacy answers everything'
load moving 4 &
loader=$!
moved=0
for step in db=region server=region db=legacy server=legacy db=region server=region server=legacy \
	db=legacy server=region db=region; do
	run runtime set $step --control "$control"
	[ $rc = 0 ] && moved=$((moved + 1))
done
is $moved 10 'ten moves under load succeed'
wait $loader
answers_all moving 'and not one request failed'
load region 1
answers_all region 'region answers everything'
cmp -s legacy.answers region.answers
check $? 'with equal answers'
run runtime history --control "$control" --json
[ "$(grep -o '"component"' <<<"$out" | wc -l)" -ge 10 ]
check $? 'the journal has every move'
run runtime rollback server --control "$control" --json
like "$rc $out" '^0 .*"to":"legacy"' 'a rollback goes back'

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
# end_under_load SIGNAL: sends it after 20 answered creations; leaves the ids in the file ids.
end_under_load() {
	local id count=0
	: >ids
	while read -r id && [ "$id" != end ]; do
		echo "$id" >>ids
		count=$((count + 1))
		[ $count = 20 ] && kill -"$1" "$pid"
	done < <(create_quotes)
	{ wait "$pid"; } 2>/dev/null
	rc=$?
	pid=
	err=$(grep -v ' info ' log | tail -n 80) # what a check that fails prints
}

end_under_load TERM
is "$rc" 0 'TERM under load ends with 0'
begin log
check $? 'it starts again'
all_there ids
check $? 'nothing that was answered before TERM is lost'
end_under_load KILL
begin log
check $? 'it starts again after kill -9'
all_there ids
check $? 'no answered write is lost by kill -9'
finish
is "$rc" 0 'and it stops cleanly'

echo "1..$tests"
[ -z "$failed" ]
