#!/bin/bash
# Operating it, from outside: the log in its formats and when nobody reads it, the kill under load,
# keys that are revoked, and a control plane that is beset by peers who never finish. TAP.
set -u
. "$(dirname "$0")/lib.sh" || exit 99
loadgen=$build/tests/bench/load
json_lines=$build/tests/e2e/json_lines

# get PATH HEADERS...: sets status.
get() {
	local path=$1
	shift
	status=$(curl -s -m 20 -o answer -w '%{http_code}' "$@" "$web$path")
}
auth() { get "$1" -H "Authorization: Bearer $key" "${@:2}"; }
count() { "$json_lines" "$@" <log; }

run seed
run apikey create --name ops --scopes quotes:read,quotes:write --rate 1000000
key=$out
secret=${key##*_} id=${key#qk_} id=${id%%_*}

# --- the log ---------------------------------------------------------------------------------

apart=
if has_backend legacy && has_backend region; then
	apart='--set runtime.server=region --set runtime.db=legacy'
fi
begin log --set logging.format=json --set logging.level=info,access=debug,db=debug $apart
token=$(sed -n 's/^control_token = //p' quotey.key)
auth /api/v1/quotes/quote-netnew-001 -H 'X-Correlation-Id: e2e-1'
is "$status" 200 'it answers'
get /api/v1/quotes -H "Authorization: Bearer qk_01234567_$secret"
is "$status" 401 'and refuses'
get $'/nothing%0a2026%20forged' -H "User-Agent: $secret"
is "$status" 404 'and does not find'
run runtime kill --control "$control" --set control.token=0123456789abcdef
run runtime kill --reason $'a try' --control "$control"
kill -USR1 "$pid"
finish
is "$rc" 0 'it ends well'
like "$out" '"jobs_live":0,"drain":\{"in_flight":0,"answered":0,"refused":0,"idle_closed":0,"left":0,"ms":[0-9]+\}' 'and says what the drain did'
like "$(count)" '^[1-9][0-9]*$' 'every line is a JSON object'
is "$(count component=access method=GET 'route=/api/v1/quotes/{id}' status=200 us= bytes= key="$id" \
	client=127.0.0.1 correlation=e2e-1 path=)" 1 'an access line has the route and who asked'
is "$(count component=db message=done operation=quote_get us= correlation=e2e-1 path=)" 1 \
	'so has a line of db, which answers on another loop'
like "$(grep '"operation":"quote_get"' log)" '"path":"server/http server/[a-z/ ]+ > db/db"' 'and says how it came there'
is "$(count component=access route=- status=404 key=-)" 1 'one without a route, too'
is "$(count component=server level=warn message=denied code=INVALID_API_KEY key=01234567)" 1 'a refusal is told'
is "$(count component=control level=warn actor=user:cli 'reason=a try')" 1 'so is a kill'
like "$(count component=dump)" '^[1-9]' 'and USR1'
is "$(count component=host message=stopping)" 1 'and the stop'
! grep -q -e "$secret" -e "$token" -e forged log
check $? 'no secret is in it, and nothing that a client made up'

begin log --set logging.format=pretty
auth /api/v1/quotes/quote-netnew-001
finish
like "$(<log)" $'^[0-9:.]{12}  info   host      .*\n +web=http.*stopping' 'pretty has columns'
unlike "$(<log)" 'access +answered' 'what is answered well is not logged at info'

# --- when nobody reads it --------------------------------------------------------------------

# drives NAME: some requests, each a line of the log, are answered, and it ends well.
drives() {
	local i good=0
	for i in $(seq 30); do
		auth '/api/v1/quotes/quote-netnew-001'
		[ "$status" = 200 ] && good=$((good + 1))
	done
	finish
	is "$good $rc" '30 0' "$1"
}
begin /dev/full --set logging.level=trace
drives 'a full disk under the log does not matter'
mkfifo stuck
exec 8<>stuck # a reader that never reads: first it is filled to the brim
timeout 2 dd if=/dev/zero of=stuck bs=4096 oflag=nonblock status=none 2>/dev/null
begin stuck --set logging.level=trace
drives 'nor does a pipe that is full'
exec 8<&-
mkfifo gone
exec 8<>gone
begin gone --set logging.level=trace
exec 8<&-
drives 'nor a reader that has gone'
begin log --set logging.level=trace 2>&-
drives 'nor a stderr that was never there'
run quote list
like "$rc $out" '^0 .*quote-netnew-001' 'and the database is whole'

# --- keys --------------------------------------------------------------------------------------

begin log
run apikey list
like "$rc $out" "^0 .*qk_$id .*ops .*quotes:read,quotes:write .*1000000 .*live" 'keys are listed'
unlike "$out" "$secret" 'without their secrets'
run apikey create --name doomed --scopes quotes:read
doomed=$out
get /api/v1/quotes -H "Authorization: Bearer $doomed"
is "$status" 200 'a key opens'
run apikey revoke "${doomed%_*}"
like "$rc $out" '^0 .*opens nothing from now on' 'until it is revoked'
get /api/v1/quotes -H "Authorization: Bearer $doomed"
like "$status $(<answer)" '^401 .*REVOKED_API_KEY' 'from then on not any more'
run apikey revoke qk_00000000
like "$rc $err" '^2 .*there is no API key qk_00000000' 'an unknown key is named'
run apikey revoke all
like "$rc $err" '^2 .*no id of an API key' 'and what is no id'

# --- beset -------------------------------------------------------------------------------------

# More peers than threads: silent ones, ones in the middle of a head, ones in the middle of a body.
port=${control##*:}
peers=()
for i in $(seq 90); do
	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || break
	case $((i % 3)) in
	1) printf 'GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow' >&$fd ;;
	2) printf 'POST /runtime/kill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{' "$token" >&$fd ;;
	esac
	peers+=("$fd")
done
began=${EPOCHREALTIME/./}
status=$(curl -s -m 20 -o answer -w '%{http_code}' "$control/health/live")
took=$(((${EPOCHREALTIME/./} - began) / 1000))
is "${#peers[@]} $status" '90 200' 'health answers among 90 peers that never finish'
[ $took -lt 6000 ]
check $? "within a bound ($took ms)"
for fd in "${peers[@]}"; do exec {fd}>&-; done
run runtime status --control "$control"
like "$rc $out" '^0 .*serving' 'and none of them has killed anything'
finish

# --- the kill under load -------------------------------------------------------------------------

status() { "$QUOTEY" runtime status --json --control "$control"; }
kill_under_load() {
	echo 'GET /api/v1/quotes/quote-renewal-001' >mix
	begin log --set runtime.kill_file=kill.now --set runtime.db=region --set runtime.server=region
	"$loadgen" --url "$web" --mix mix --header "Authorization: Bearer $key" --connections 4 \
		--closed --seconds 5 --json >load.json 2>load.err &
	loader=$!
	touch kill.now
	until_like status "\"backend\":\"legacy\",\"component\":\"db\".*\"backend\":\"legacy\",\"component\":\"server\""
	check $? 'the kill file moves everything to the fallback, under load'
	like "$out" '"killed":\["file"\]' 'and is named'
	run runtime set server=region --control "$control"
	like "$rc $err" '^[23] .*held on legacy until the kill is cleared' 'nothing leaves from there'
	run runtime kill --clear --control "$control"
	like "$rc $err" '^[23] .*kill file is there' 'not by a command either'
	rm kill.now
	until_like status '"killed":\[\]'
	check $? 'without the file it is cleared'
	like "$out" '"backend":"legacy","component":"server"' 'which moves nothing'
	run runtime rollback --control "$control"
	is "$rc" 0 'a rollback takes all back'
	until_like status "\"backend\":\"region\",\"component\":\"db\".*\"backend\":\"region\",\"component\":\"server\""
	check $? 'to where it was'
	run runtime history --control "$control"
	like "$out" 'system:kill-file .*the kill file is there' 'the journal has it'
	run runtime kill --reason smoke --control "$control"
	like "$rc $out" '^0 db: held on legacy.*server: held on legacy' 'a command kills, too'
	run runtime kill --clear --control "$control"
	like "$rc $out" '^0 cleared; nothing has moved' 'and clears'
	wait $loader
	like "$(<load.json)" '"failed":0[,}]' 'and not one request failed'
	finish
	is "$rc" 0 'it ends well'
}
if has_backend legacy && has_backend region; then kill_under_load; fi

# --- TLS on the web listener -----------------------------------------------------------------------

# certificate NAME: NAME.pem and NAME.key, of this machine's address.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
tls() {
	local backend
	certificate first && certificate second
	run start --set web.tls_cert=nowhere.pem --set web.tls_key=first.key
	like "$rc $err" '^2 .*web\.tls_cert .*nowhere\.pem' 'a certificate that is not there is named'
	run start --set web.tls_cert=first.pem --set web.tls_key=second.key
	like "$rc $err" '^2 .*web\.tls_cert .*key' 'a key that does not fit is refused'
	run start --set web.tls_cert=first.pem
	like "$rc $err" '^2 .*web\.tls_cert .*web\.tls_key' 'one without the other, too'
	for backend in legacy region; do
		has_backend $backend || continue
		cp first.pem cert.pem
		cp first.key key.pem
		begin log --set web.tls_cert=cert.pem --set web.tls_key=key.pem \
			--set runtime.db=$backend --set runtime.server=$backend
		like "$ready" '"web":"https://' "on $backend, the web listener speaks TLS"
		auth /api/v1/quotes/quote-netnew-001 --cacert first.pem
		is "$status" 200 "on $backend, who knows the certificate is answered"
		auth /api/v1/quotes/quote-netnew-001
		is "$status" 000 "on $backend, who does not know it asks nothing"
		web=http${web#https} auth /api/v1/quotes/quote-netnew-001
		is "$status" 000 "on $backend, plain HTTP is not spoken"
		cp second.pem cert.pem
		cp second.key key.pem
		kill -HUP "$pid"
		end=$((SECONDS + 15)) status=000
		while [ "$status" != 200 ] && [ $SECONDS -lt $end ]; do
			auth /api/v1/quotes/quote-netnew-001 --cacert second.pem
		done
		is "$status" 200 "on $backend, HUP takes a new certificate"
		auth /api/v1/quotes/quote-netnew-001 --cacert first.pem
		is "$status" 000 "on $backend, the old one is gone"
		echo broken >cert.pem
		kill -HUP "$pid"
		end=$((SECONDS + 15))
		until grep -q 'HUP: the certificate stays as it is' log || [ $SECONDS -ge $end ]; do :; done
		auth /api/v1/quotes/quote-netnew-001 --cacert second.pem
		is "$status" 200 "on $backend, a broken one changes nothing"
		like "$(<log)" 'error host: HUP: the certificate stays as it is why="cert_file, its certificate: ' "on $backend, and is told"
		finish
		is "$rc" 0 "on $backend, it ends well"
	done
}
if command -v openssl >/dev/null; then tls; fi

echo "1..$tests"
[ -z "$failed" ]
