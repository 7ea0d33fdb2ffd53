#!/bin/bash
# The program as an operator meets it: exit codes, messages, start and stop, moves, and what is
# left after a kill. Needs nothing but bash, the program and a C compiler. Speaks TAP.
#
# Nothing here sleeps: what has to happen first is waited for by reading a line or an answer.
set -u
. "$(dirname "$0")/lib.sh" || exit 99
CC=${CC:-cc}

# fails CODE CLASS PATTERN NAME: the last run ended so, and said so.
fails() {
	[ "$rc" = "$1" ]
	local a=$?
	[[ $err =~ $3 ]]
	local b=$?
	[[ -z $2 || $out =~ \"error_class\":\"$2\" ]]
	check $((a | b | $?)) "$4"
}

# --- a server ------------------------------------------------------------------------------

# begin ARGS...: as lib.sh's, with its stderr as fd 4; also sets web_port.
begin() {
	rm -f err.fifo
	mkfifo err.fifo
	launch err.fifo "$@"
	exec 4<err.fifo
	await_ready
	web_port=${web##*:}
}
# finish SIGNAL: ends it and reads what it still says; sets rc, out, err.
finish() {
	[ -z "$1" ] || kill "-$1" "$pid"
	out=$(timeout 90 cat <&3)
	err=$(timeout 90 cat <&4)
	{ wait "$pid"; } 2>/dev/null # without the shell's word on how it ended
	rc=$?
	pid=
	exec 3<&- 4<&-
}
# Reads its stderr until a line matches.
await() {
	local line
	while IFS= read -r -t 60 line <&4; do
		if [[ $line =~ $1 ]]; then return 0; fi
	done
	return 1
}
# http PORT METHOD PATH [BODY]: sets status and body; status is empty when there is no answer.
http() {
	local answer content=${4-}
	status= body=
	exec 5<>"/dev/tcp/127.0.0.1/$1" || return 1
	printf '%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
		"$2" "$3" "${key-}" "${#content}" "$content" >&5 2>/dev/null
	answer=$(timeout 60 cat <&5 2>/dev/null)
	exec 5<&- 5>&-
	status=${answer#HTTP/1.1 } status=${status%%[!0-9]*}
	body=${answer#*$'\r\n\r\n'}
	[ -n "$status" ]
} 2>/dev/null
new_quote='{"account_id":"acct-e2e","currency":"USD","lines":[{"product_id":"prd-team","quantity":3}]}'
stopped='"event":"stopped","tasks_live":0,"regions_live":0,"ops_live":0,"streams_live":0,"jobs_live":0'
backend_of() { # component
	run runtime status --json --control "$control"
	backend=${out%%\"component\":\"$1\"*} backend=${backend##*\"backend\":\"} backend=${backend%%\"*}
}

# Builds with one backend have nowhere to move anything to; they are told so.
built=$("$QUOTEY" runtime promises | head -1)
backends=
for backend in legacy region; do
	if [[ " $built " == *" $backend "* ]]; then backends="$backends $backend"; fi
done
case $backends in
' legacy region') both=yes home=legacy other= ;;
' legacy') both= home=legacy other=region ;;
' region') both= home=region other=legacy ;;
*) echo "Bail out! runtime promises names no backend: $built"; exit 1 ;;
esac

# --- usage ---------------------------------------------------------------------------------

run --version
like "$rc $out" '^0 quotey [0-9]+\.[0-9]+|^0 quotey unreleased' 'the version is printed'
run help
like "$rc $out" '^0 .*apikey create.*Exit codes' 'help lists the commands'
run migrate --help
like "$rc $out" '^0 Usage: quotey migrate .*--down N' 'a command explains itself'
run
fails 2 '' 'no command' 'no command at all is a usage error'
run frobnicate
fails 2 '' 'unknown command "frobnicate"' 'an unknown command is named'
run quote frobnicate
fails 2 '' 'list, show, price' 'an unknown subcommand is told which there are'
run migrate --frob
fails 2 config_validation 'unknown option --frob' 'an unknown option is named'
run migrate --to
fails 2 config_validation '--to needs a value' 'an option without its value is named'
run migrate --to 1x
fails 2 config_validation '"1x" is not a whole number' 'a number that is none is refused'
run migrate --to 1 --down 0
fails 2 config_validation 'exclude each other' 'migrate goes one way at a time'
run migrate now
fails 2 config_validation 'unexpected argument "now"' 'a word too many is refused'
[ ! -e quotey.db ]
check $? 'none of this has made a database'

# --- configuration -------------------------------------------------------------------------

run migrate --config missing.conf
fails 2 config_validation 'missing\.conf' 'a named configuration file must exist'
printf '[databse]\nurl = sqlite://x.db\n[web]\nport = 99999\n[control]\ntoken = SECRETSECRETSECRET\nbind_address = nowhere\n' >bad.conf
run migrate --config bad.conf
fails 2 config_validation 'databa?se.*database' 'an unknown section is told the nearest one'
like "$err" 'web\.port.*bad\.conf:4' 'all errors are listed, each with its line'
like "$err" 'control\.bind_address.*bad\.conf:7' 'also the last one'
unlike "$out$err" SECRETSECRET 'no secret is in any of them'
printf '[database]\nurl = ${QUOTEY_TEST_MISSING}\n' >missing-var.conf
run config --config missing-var.conf
fails 2 '' 'QUOTEY_TEST_MISSING' 'a missing variable is an error'
run config --set databse.url=x
fails 2 '' 'database\.url' 'an unknown key is told the nearest one'
run config --set web.port
fails 2 '' '--set' 'a --set without a value is refused'
printf '[web]\nport = 1111\n[control]\ntoken = SECRETSECRETSECRET\n' >good.conf
setting() { sed -n "s/^$1  *\([^ ]*\)  *\([^ ]*\)\$/\1 \2/p" <<<"$out"; }
run config
is "$rc $(setting web.port)" '0 3847 default' 'a setting has a default'
run config --config good.conf
is "$(setting web.port)" '1111 good.conf:2' 'the file comes before the default'
unlike "$out$err" SECRETSECRET 'a secret is not shown'
export QUOTEY_WEB_PORT=2222
run config --config good.conf
is "$(setting web.port)" '2222 QUOTEY_WEB_PORT' 'the environment comes before the file'
run config --config good.conf --set web.port=3333
is "$(setting web.port)" '3333 --set' '--set comes before the environment'
unset QUOTEY_WEB_PORT

# --- migrate and seed ----------------------------------------------------------------------

run quote list
fails 5 '' 'run quotey migrate' 'a database without schema says what to do'
rm -f quotey.db*
run migrate
like "$rc $out" '^0 \{"command":"migrate","error_class":null,"message":"schema at [0-9]+ \(was 0000\), signature [0-9a-f]{64}","status":"ok"\}$' 'migrate prints one JSON line'
signature=${out##*signature } signature=${signature%%\"*}
run migrate
like "$out" "was 000[1-9].*$signature" 'migrating again changes nothing'
run migrate --down 0
like "$rc $out" '^0 .*schema at 0000' 'migrate goes down'
run migrate --to 2
like "$rc $out" '^0 .*schema at 0002' 'migrate goes up to a step'
run migrate
like "$rc $out" "^0 .*$signature" 'down and up again is the same schema'
run migrate --to 99
fails 2 config_validation '0099 does not exist' 'a step that does not exist is refused'

run seed
like "$rc $out" '^0 .*27 of 27 checks passed' 'the seed data passes its checks'
run seed
like "$rc $out" '^0 .*27 of 27 checks passed; 0 rows written' 'seeding again changes nothing'
run seed --clean
like "$rc $out" '^0 .*"[1-9][0-9]* rows removed"' 'the seed data can be removed'
run seed
like "$rc $out" '^0 .*27 of 27' 'and loaded again'

cat >newer.c <<'C'
#include <sqlite3.h>
int main(int argc, char **argv)
{
	sqlite3 *db;
	return argc != 3 || sqlite3_open(argv[1], &db) || sqlite3_exec(db, argv[2], 0, 0, 0) ||
	       sqlite3_close(db);
}
C
$CC -o newer newer.c -lsqlite3 2>newer.log || { echo "Bail out! cannot build a helper: $(head -1 newer.log)"; exit 1; }
run migrate --set database.url=sqlite://newer.db
./newer newer.db "INSERT INTO schema_migration VALUES (99, 'future', 'x', '2030-01-01T00:00:00.000Z')"
run migrate --set database.url=sqlite://newer.db
fails 5 migration 'newer\.db' 'a schema with a step nobody knows is a migration error'
./newer newer.db "DELETE FROM schema_migration WHERE version = 99; UPDATE schema_migration SET checksum = 'x' WHERE version = 2"
run start --set database.url=sqlite://newer.db
fails 5 migration '0002.*checksum' 'start refuses a changed migration'
run seed --set database.url=sqlite://newer.db
fails 5 migration '0002.*checksum' 'seed refuses it, too'
run migrate --set database.url=sqlite://seeds.db
run seed --set database.url=sqlite://seeds.db
./newer seeds.db "UPDATE quote_line SET quantity = 7 WHERE quote_id = 'quote-netnew-001'"
run seed --set database.url=sqlite://seeds.db
fails 6 seed_verification 'quote-netnew-001.*expected.*found' 'changed seed data fails its checks'

# --- a database out of reach ---------------------------------------------------------------

for command in migrate seed start; do
	run $command --set database.url=sqlite://no/such/folder/q.db
	fails 4 db_connectivity 'no/such/folder/q\.db' "$command names a database that cannot be made"
done
echo 'this is no database, only a text of some length that nobody can read as one' >text.db
run start --set database.url=sqlite://text.db
fails 4 db_connectivity 'text\.db' 'start names a file that is no database'
mkdir folder.db
run quote list --json --set database.url=sqlite://folder.db
fails 4 db_connectivity 'folder\.db' 'a folder is no database, and with --json a failure is JSON'
run start --set database.url=:memory:
fails 2 config_validation 'database\.url.*file' 'start needs a database in a file'

# --- copies and damage ---------------------------------------------------------------------

run db check
like "$rc $out" '^0 \{"command":"db check".*no damage found; --full' 'a sound database has no damage'
run db check --full
like "$rc $out" '^0 .*"no damage found"' 'nor with all that can be looked at'
run db backup copy.db
like "$rc $out" '^0 .*"copied to copy\.db"' 'the database is copied'
run db backup copy.db
fails 2 config_validation 'copy\.db exists; --force replaces it' 'a copy replaces nothing by itself'
run db backup --force copy.db
like "$rc" '^0$' 'but it does when told to'
run seed --set database.url=sqlite://copy.db
like "$rc $out" '^0 .*27 of 27 checks passed; 0 rows written' 'a copy is a database like any other'
run db backup none/copy.db
fails 4 db_connectivity 'none/copy\.db: .*No such file' 'a copy into no folder says so'
run db backup
fails 2 config_validation 'takes the FILE' 'a copy needs a name'
run db check --set database.url=sqlite://absent.db
fails 4 db_connectivity 'absent\.db' 'what is looked at must be there'
like "$(ls absent.db copy.db.* 2>&1 | grep -c 'No such file')" '^2$' 'nothing is made, and nothing partial is left'
./newer copy.db "CREATE TABLE filler (x); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300) INSERT INTO filler SELECT randomblob(3000) FROM c"
dd if=/dev/urandom of=copy.db bs=4096 seek=200 count=10 conv=notrunc 2>dd.log
run db check --set database.url=sqlite://copy.db
fails 6 verification 'copy\.db: [1-9][0-9]* findings, the first: ' 'damage is found and described'
run start --set database.url=sqlite://copy.db
fails 4 db_connectivity 'copy\.db: [1-9][0-9]* findings' 'nothing starts on it'

# --- quotes and keys -----------------------------------------------------------------------

run quote list
like "$rc $out" '^0 .*quote-netnew-001 .*2500\.00 .*4 of 4 quotes$' 'quotes are listed'
run quote list --status sent --json
like "$rc $out" '^0 \{"items":\[\{.*"id":"quote-renewal-000".*"total":1\}$' 'also by status, as JSON'
run quote list --status sold
fails 2 '' '"sold" is no status' 'an unknown status is refused'
run quote list --limit 101
fails 2 '' '1 to 100' 'a list has a limit'
run quote show quote-discount-001
like "$rc $out" '^0 .*Initech.*prd-sso .*25\.00% .*total +USD 450\.00' 'a quote is shown'
run quote show quote-discount-001 --json
like "$rc $out" '^0 \{.*"total":"450\.00"' 'also as JSON'
run quote price quote-netnew-001
like "$rc $out" '^0 .*missing +billing_country, payment_terms.*total +USD 2500\.00' 'a quote is priced'
run quote show quote-netnew-001
like "$out" 'status +draft' 'which changes nothing'
run quote show Q-1999-0001
fails 2 '' 'Q-1999-0001' 'an unknown quote is named'
run quote show '../etc'
fails 2 '' 'no quote id' 'a malformed id is refused'
run quote show
fails 2 '' 'ID is missing' 'an id is needed'

run apikey create --name e2e --scopes quotes:read,quotes:write --rate 1000000
key=$out
like "$rc $out" '^0 qk_[0-9a-f]{8}_[0-9a-f]{64}$' 'a key is printed, alone on its line'
! grep -aq "${key##*_}" quotey.db quotey.db-wal 2>/dev/null
check $? 'its secret is not in the database'
run apikey create --scopes admin
fails 2 config_validation '--name is missing' 'a key needs a name'
run apikey create --name x --scopes quotes:eat
fails 2 config_validation 'quotes:eat' 'an unknown scope is refused'
run apikey create --name x --scopes admin --expires tomorrow
fails 2 config_validation 'YYYY-MM-DD' 'an unreadable time is refused'

# --- the key file --------------------------------------------------------------------------

echo 'hello' >keys && chmod 600 keys
run start --set security.key_file=keys
fails 2 config_validation 'keys: line 1' 'a key file that is none is refused by name and line'
chmod 644 keys
run start --set security.key_file=keys
fails 2 config_validation 'keys: .*0644' 'a key file that others can read is refused'
run start --set security.key_file=no/such/keys
fails 2 config_validation 'no/such/keys' 'a key file that cannot be made is named'
mkfifo fifo && chmod 600 fifo
run start --set security.key_file=fifo
fails 2 config_validation 'fifo: is not a file' 'a fifo does not hold the program up'

# --- start, ask, stop ----------------------------------------------------------------------

begin
like "$ready" '^\{"event":"ready","web":"http://127\.0\.0\.1:[1-9][0-9]*","control":"http://127\.0\.0\.1:[1-9][0-9]*"\}$' 'start says where it serves'
is "$(stat -c %a quotey.key)" 600 'the key file is made for its owner only'
token=$(sed -n 's/^control_token = //p' quotey.key)
like "$token" '^[0-9a-f]{64}$' 'it holds the control token'
keys_before=$(<quotey.key)
run runtime status --control "$control"
like "$rc $out" "^0 .*db +$home .*server +$home .*serving" 'its status can be asked for'
http "$web_port" GET /api/v1/quotes/quote-netnew-001
like "$status $body" '^200 .*quote-netnew-001' 'it answers'
http "$web_port" POST /api/v1/quotes "$new_quote"
like "$status $body" '^201 .*"id":"Q-' 'it stores quotes'
id=${body#*\"id\":\"Q-} id=Q-${id%%\"*}
run quote show "$id"
like "$rc $out" "^0 .*$id.*total +USD 54\.00" 'which other commands see while it runs'

port=${control##*:}
run start --set web.port="$web_port" --set control.port=0
fails 3 runtime_init "127\.0\.0\.1:$web_port.*in use" 'a used web port is named'
run start --set web.port=0 --set control.port="$port"
fails 3 runtime_init "127\.0\.0\.1:$port.*in use" 'a used control port is named'
run runtime status --control "$control"
like "$rc $out" '^0 .*serving' 'the other start has harmed nothing'

# --- moves ---------------------------------------------------------------------------------

if [ -n "$both" ]; then
	run runtime set server=region --reason 'a try' --control "$control"
	like "$rc $out" '^0 server: legacy -> region in [0-9]+ ms' 'a component is moved'
	run runtime set db=region --control "$control" --json
	like "$rc $out" '^0 \{.*"component":"db".*"ok":true' 'also with its answer in JSON'
	http "$web_port" GET "/api/v1/quotes/$id"
	is "$status" 200 'it answers from there'
	run runtime status --control "$control"
	like "$out" 'db +region +legacy .*server +region +legacy' 'status shows it'
	run runtime rollback server --control "$control"
	like "$rc $out" '^0 server: region -> legacy' 'a move is rolled back'
	run runtime history --control "$control"
	like "$rc $out" '^0 .*server +region +legacy +user:cli.*legacy +region +user:cli.*a try.*system:start' 'history has them, the newest first'
	run runtime history --control "$control" --json
	like "$rc $out" '^0 \{"moves":\[.*"reason":"a try"' 'also as JSON'
else
	run runtime set "db=$other" --control "$control"
	fails 2 config_validation "$other" 'a backend that is not built is refused'
	run runtime rollback db --control "$control"
	fails 3 runtime_init 'never moved' 'there is no move to roll back'
fi
run runtime trace --secs 1 --control "$control"
like "$rc $out" '^0 \{"displayTimeUnit":"ms",.*"traceEvents":\[.*"name":"process_name".*\]\}$' 'a recording is JSON'
run runtime trace --secs 99 --control "$control"
fails 2 '' '"99" is not a whole number from 1 to 20' 'and not of any length'
run runtime set mail=$home --control "$control"
fails 2 config_validation 'mail' 'an unknown component is named'
run runtime set db=lunar --control "$control"
fails 2 config_validation 'lunar' 'an unknown backend is named'
run runtime set db --control "$control"
fails 2 config_validation 'COMPONENT=BACKEND' 'a move needs two names'
run runtime set db=$home:30 --control "$control"
fails 2 config_validation 'share' 'a share is refused as long as nothing honours it'
run runtime set db=$home --control "$control" --set control.token=0123456789abcdef
fails 2 config_validation 'token' 'a wrong token moves nothing'
run runtime set db=$home --control "$control" --set security.key_file=nowhere.key
fails 2 config_validation 'nowhere\.key' 'neither does none'
run runtime status --control ftp://x
fails 2 '' 'http://ADDRESS:PORT' 'a control address that is none is refused'
unlike "$out$err" "$token" 'the token is never printed'

finish TERM
is "$rc" 0 'TERM ends it with 0'
like "$out" "$stopped" 'and it leaves nothing'
run runtime status --control "$control"
fails 3 '' 'refused' 'status of nobody is a runtime error'

# --- what the next start goes by -----------------------------------------------------------

next_starts() {
	begin
	is "$(<quotey.key)" "$keys_before" 'the next start keeps the keys'
	backend_of db
	is "$backend" region 'the journal outranks the default'
	backend_of server
	is "$backend" legacy 'a rollback counts as a move'
	finish INT
	is "$rc" 0 'INT ends it, too'
	begin --set runtime.db=legacy
	backend_of db
	is "$backend" legacy '--set outranks the journal'
	finish TERM
	export QUOTEY_RUNTIME_DB=legacy
	begin
	backend_of db
	is "$backend" legacy 'the environment outranks the journal'
	finish TERM
	unset QUOTEY_RUNTIME_DB
	printf '[runtime]\ndb = legacy\n' >runtime.conf
	begin --config runtime.conf
	backend_of db
	is "$backend" region 'the file does not'
	finish TERM
	touch kill.now
	begin --set runtime.kill_file=kill.now --set runtime.db=region --set runtime.server=region
	backend_of db
	is "$backend" legacy 'the kill file outranks everything'
	finish TERM
	like "$err" 'kill\.now' 'and is named'
	run start --set runtime.server=region:30
	fails 2 config_validation 'runtime\.server.*percentages' 'start refuses a share of the work'
}

# --- HUP -----------------------------------------------------------------------------------

hang_up() {
	rm -f quotey.db*
	run seed
	run apikey create --name e2e --scopes quotes:read,quotes:write --rate 1000000
	key=$out
	printf '[runtime]\ndb = legacy\nserver = legacy\n' >runtime.conf
	begin --config runtime.conf
	printf '[runtime]\ndb = legacy\nserver = region\n' >runtime.conf
	kill -HUP "$pid"
	await 'info host: moved what=server from=legacy to=region actor=system:[a-z]+ reason=runtime\.conf:3 '
	check $? 'HUP moves what the file moved'
	backend_of db
	is "$backend" legacy 'and nothing else'
	printf '[runtime]\ndb = lunar\n' >runtime.conf
	kill -HUP "$pid"
	await 'error host: HUP: bad configuration setting=runtime\.db where=runtime\.conf:2 .*fix='
	check $? 'HUP with a bad file says what is wrong'
	backend_of server
	is "$backend" region 'and changes nothing'
	printf '[runtime]\ndb = legacy\nserver = legacy\n' >runtime.conf
	kill -HUP "$pid"
	await 'info host: moved what=server from=region to=legacy '
	check $? 'HUP with the file mended moves back'
	kill -USR1 "$pid"
	await ' info dump: runtime supervisor backend=.* tasks_live='
	check $? 'USR1 dumps what lives'
	await 'task main id=.*waits_for=signal'
	check $? 'with what each waits for'
	await ' info dump: runtime legacy-loop '
	check $? 'in every runtime'
	finish TERM
	is "$rc" 0 'and it ends as ever'
	printf '[runtime]\nserver = region\n' >runtime.conf
	begin --config runtime.conf
	backend_of server
	is "$backend" region 'after HUP had the last word, the file has it at the next start'
	finish TERM
}

if [ -n "$both" ]; then
	next_starts
	hang_up
else
	run start --set "runtime.server=$other"
	fails 2 config_validation "runtime\.server.*$other.*not in this build" 'start refuses a backend that is not built'
	touch kill.now
	begin --set runtime.kill_file=kill.now --set "runtime.fallback=$other"
	backend_of db
	is "$backend" "$home" 'without the fallback, killed components run on what there is'
	finish TERM
	is "$rc" 0 'and it ends as ever'
fi

# --- writes --------------------------------------------------------------------------------

# Writes quotes until nobody answers; each id goes to the pipe and to the file once it is answered.
writer() {
	local port=$1 file=$2 id
	trap '' PIPE # a request that meets the kill is answered by no one, not the end of the writer
	while http "$port" POST /api/v1/quotes "$new_quote" && [ "$status" = 201 ]; do
		id=${body#*\"id\":\"Q-} id=Q-${id%%\"*}
		echo "$id" >>"$file"
		echo "$id"
	done
	echo end
}
# under_load SIGNAL: some writers, then the signal when enough is answered.
under_load() {
	local n=0 ends=0 line w
	rm -f answered.* load.fifo
	mkfifo load.fifo
	exec 6<>load.fifo
	others=
	for w in 1 2 3; do
		writer "$web_port" answered.$w >&6 3<&- 4<&- &
		others="$others $!"
	done
	while [ $ends -lt 3 ] && IFS= read -r -t 60 line <&6; do
		if [ "$line" = end ]; then ends=$((ends + 1)); fi
		n=$((n + 1))
		[ $n -ne 60 ] || kill "-$1" "$pid"
	done
	exec 6<&-
	wait $others
	others=
	[ $ends -eq 3 ]
}
# Whether every answered quote can be read back; sets answered and lost.
all_there() {
	answered=0 lost=
	local id
	while read -r id; do
		answered=$((answered + 1))
		http "$web_port" GET "/api/v1/quotes/$id"
		[ "$status" = 200 ] || lost="$lost $id"
	done < <(cat answered.*)
	out="lost:$lost" err=
	[ $answered -ge 50 ] && [ -z "$lost" ]
}

for backend in $backends; do
	begin --set runtime.backend=$backend
	under_load KILL
	check $? "on $backend, writers notice a kill"
	finish ''
	is "$rc" 137 "on $backend, killed is killed"
	begin --set runtime.backend=$backend
	all_there
	check $? "on $backend, a kill loses no answered write"
	under_load TERM
	check $? "on $backend, writers notice TERM"
	finish ''
	is "$rc" 0 "on $backend, TERM under load ends with 0"
	like "$out" "$stopped" "on $backend, it leaves nothing"
	begin --set runtime.backend=$backend
	all_there
	check $? "on $backend, TERM loses no answered write"
	finish TERM
done

# --- impatience ----------------------------------------------------------------------------

# A connection that stays open holds the draining up.
begin --set server.drain_linger_ms=60000 --set server.drain_secs=100 --set server.graceful_shutdown_secs=100
exec 7<>"/dev/tcp/127.0.0.1/$web_port"
printf 'GET /api/v1/quotes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n' "$key" >&7
read -r -t 60 line <&7
like "$line" '200 OK' 'a client is connected'
http "${control##*:}" GET /health/ready
is "$status" 200 'readiness is 200'
kill -TERM "$pid"
status=200
while [ "$status" = 200 ]; do http "${control##*:}" GET /health/ready; done
like "$status $body" '^503 .*"service":"draining"' 'while it drains, readiness is 503'
http "${control##*:}" GET /health/live
is "$status" 200 'and it lives'
run runtime set db=$home --control "$control"
fails 3 runtime_init 'closed' 'while it drains, nothing is moved'
finish TERM
is "$rc" 3 'a second TERM ends it at once, with 3'
like "$err" 'second signal' 'and says so'
exec 7<&- 7>&-

begin --set server.drain_linger_ms=60000 --set server.drain_secs=100 --set server.graceful_shutdown_secs=2
exec 7<>"/dev/tcp/127.0.0.1/$web_port"
printf 'GET /api/v1/quotes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n' "$key" >&7
read -r -t 60 line <&7
finish TERM
is "$rc" 0 'what does not drain in time is closed, and the end is still clean'
like "$out" "$stopped" 'nothing of it is left'
exec 7<&- 7>&-

echo "1..$tests"
[ -z "$failed" ]
