#!/bin/bash
# The HTTP client against servers that are not ours: Python's http.server, and `openssl s_server`
# for https. Skipped without them. TAP.
set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}" "${FETCH:=$top_builddir/tests/e2e/fetch}"
: "${QUOTEY:=$top_builddir/quotey/quotey}"

skip() {
	echo "1..0 # SKIP $*"
	exit 0
}
command -v openssl >/dev/null || skip "no openssl here"
python3 -c 'import http.server' 2>/dev/null || skip "no python3 here"

dir=$(mktemp -d)
pids=()
finish() {
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
# shellcheck source=tests/lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# wait_for FILE PATTERN: until a line of FILE matches, and prints it.
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		grep -m1 -E "$2" "$1" 2>/dev/null && return
		sleep 0.05
	done
	return 1
}

mkdir "$dir/www"
head -c 3000000 /dev/urandom >"$dir/www/big"
printf 'small\n' >"$dir/www/small"

# GET and HEAD of files, kept connections, POST echoed in chunks.
cat >"$dir/server.py" <<'PY'
import http.server, sys

class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            piece = self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return whole
            whole += piece

    def do_POST(self):
        body = self.body()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 70000):
            piece = body[at:at + 70000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_address[1], flush=True)
server.serve_forever()
PY
(cd "$dir/www" && exec python3 "$dir/server.py") >"$dir/python.out" 2>&1 &
pids+=($!)
line=$(wait_for "$dir/python.out" '^port ') || skip "Python's server does not start"
web=http://127.0.0.1:${line#port }

# A certificate for this address, one for another, and a server that ends each answer by closing.
make_cert() { # NAME ALTERNATIVE
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-addext "subjectAltName=$2" -keyout "$dir/$1.key" -out "$dir/$1.pem" 2>/dev/null
}
make_cert right IP:127.0.0.1 && make_cert wrong DNS:elsewhere.test || skip "no certificates"
serve_tls() { # NAME: prints the URL
	(cd "$dir/www" && exec openssl s_server -accept 127.0.0.1:0 -WWW -cert "$dir/$1.pem" \
		-key "$dir/$1.key") >"$dir/$1.out" 2>&1 </dev/null &
	pids+=($!)
	line=$(wait_for "$dir/$1.out" '^ACCEPT .*:[0-9]+') || skip "openssl's server does not start"
	url=https://127.0.0.1:${line##*:}
}
serve_tls right
right=$url
serve_tls wrong
wrong=$url

# fetch ARGS...: sets rc, out (a file) and err.
fetch() {
	timeout 60 "$FETCH" "$@" >"$dir/body" 2>"$dir/stderr"
	rc=$?
	err=$(<"$dir/stderr")
	out=$(head -c 100 "$dir/body" | tr -d '\0')
}

for backend in legacy region; do
	has_backend $backend || continue
	fetch $backend GET "$web/small" 5 -
	is "$err" "200 opened=1 reused=4" "$backend: five answers over one connection"
	is "$(<"$dir/body")" small "$backend: a file comes whole"
	fetch $backend GET "$web/big" 2 -
	cmp -s "$dir/body" "$dir/www/big"
	check $? "$backend: 3 MB come as they are"
	fetch $backend HEAD "$web/big" 2 -
	is "$err $(wc -c <"$dir/body")" "200 opened=1 reused=1 0" "$backend: HEAD has no body"
	fetch $backend GET "$web/none" 1 -
	like "$err" '^404 ' "$backend: a status is an answer"
	fetch $backend POST "$web/echo" 1 - <"$dir/www/big"
	cmp -s "$dir/body" "$dir/www/big"
	check $? "$backend: 3 MB go and come back in chunks"
	fetch $backend GET "$right/big" 2 "$dir/right.pem"
	cmp -s "$dir/body" "$dir/www/big"
	check $? "$backend: 3 MB come over TLS, up to its end"
	is "$err" "200 opened=2 reused=0" "$backend: which ends the connection"
	fetch $backend GET "$right/small" 1 -
	like "$err" '^QRT_EPROTO GET https://127.0.0.1:[0-9]+: TLS with 127.0.0.1: .*self.signed' \
		"$backend: who nobody vouches for is refused"
	fetch $backend GET "$wrong/small" 1 "$dir/wrong.pem"
	like "$err" '^QRT_EPROTO .*(mismatch|IP address)' "$backend: who is somebody else is refused"
done
echo "1..$tests"
[ -z "$failed" ]
