# What the scripts of the bench share: a Quotey of their own in $work, and arithmetic. To be sourced,
# with QUOTEY and work (a folder of one's own) set; never leaves a server running.

pid=
work=$(mktemp -d)
trap '[ -z "$pid" ] || kill "$pid"; wait; rm -rf "$work"' EXIT

# field NAME < JSON: the value of one member, for flat JSON of our own making
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" | head -1; }
q() { "$quotey" "$@" --config "$work/quotey.conf"; }
# start_quotey [LINES OF quotey.conf]: sets pid, web, control and key. Sections may come twice.
start_quotey() {
	cat >"$work/quotey.conf" <<-CONF
		[database]
		url = sqlite://$work/quotey.db
		synchronous = normal
		[web]
		port = 0
		[control]
		port = 0
		[security]
		key_file = $work/quotey.key
		[server]
		drain_linger_ms = 50
		[runtime]
		backend = ${built%% *}
		${1:-}
	CONF
	rm -rf "$work"/quotey.db* "$work/ready"
	q seed >/dev/null || return
	key=$(q apikey create --name bench --scopes quotes:read,quotes:write --rate 1000000 --json | field key)
	mkfifo "$work/ready"
	"$quotey" start --config "$work/quotey.conf" >"$work/ready" 2>"$work/log" &
	pid=$!
	exec 3<"$work/ready"
	read -r -t 60 ready <&3
	web=$(field web <<<"$ready")
	control=$(field control <<<"$ready")
	[ -n "$web" ] || { cat "$work/log" >&2; return 1; }
}
# place BACKEND: moves everything there
place() {
	q runtime set "db=$1" --control "$control" >/dev/null &&
		q runtime set "server=$1" --control "$control" >/dev/null
}
# stop_quotey: its exit status
stop_quotey() {
	local was=$pid
	pid=
	kill "$was"
	wait "$was"
}
# live: how many of each kind of thing lives, as /metrics tells, per runtime
live() { curl -s "$control/metrics" | grep -E '^quotey_(regions|tasks|streams|jobs|duties)_live' | sort; }
# The backends of this build that can serve.
promises=$("$quotey" runtime promises)
built=$(grep -oE '\<(legacy|region)\>' <<<"${promises%%$'\n'*}" | sort -u | tr '\n' ' ')
