#!/bin/bash
# Holds the documents to the code: runs their commands, compiles their C, loads their
# configuration, and looks up the files, symbols, options and settings that they name.
#
# What stands for what: `quotey` is the built one, on free ports and a scratch folder; ci/ scripts,
# configure and make are not run, but must know what they are called with; `ci/demo --serve` is
# played by a server started here. A command that is none of these is a failure.
set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CC:=cc}"
: "${top_builddir:=$top_srcdir}" "${QUOTEY:=$top_builddir/quotey/quotey}"
documents="README.md ARCHITECTURE.md CHANGELOG.md shim/README.md backends/README.md
	quotey/README.md compat/README.md tests/README.md ci/README.md"

scratch=$(mktemp -d)
log=$scratch/log
demo_pid= job= WEB= CONTROL= KEY=

finish() {
	local status=$?
	[ -z "$demo_pid" ] || kill "$demo_pid" 2>/dev/null
	[ -z "$job" ] || kill "$job" 2>/dev/null
	rm -rf "$scratch"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

n=0 failed=0
result() { # STATUS WHAT [SKIP REASON]
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2${3:+ # SKIP $3}"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$log"
		failed=$((failed + 1))
	fi
}

complain() { echo "$*" >>"$log"; return 1; }

# --- what the documents' commands do here ---------------------------------------------------------

# A server's first line names its addresses; it is awaited by reading it.
await_ready() { # FIFO FD
	local line
	eval "exec $2<\"$1\""
	read -r -t 60 -u "$2" line || { complain "the server did not become ready"; return 1; }
	WEB=$(sed -n 's/.*"web":"\([^"]*\)".*/\1/p' <<<"$line")
	CONTROL=$(sed -n 's/.*"control":"\([^"]*\)".*/\1/p' <<<"$line")
	[ -n "$WEB" ] && [ -n "$CONTROL" ] || complain "no addresses in: $line"
}

quotey() {
	case "$1 ${2:-}" in
	"start "*)
		[ "$BASH_SUBSHELL" -gt 0 ] || { complain "a server in the foreground"; return 1; }
		exec "$QUOTEY" "$@" >"$fifo"
		;;
	"runtime promises") "$QUOTEY" "$@" ;;
	"runtime "*) "$QUOTEY" "$@" --control "$CONTROL" ;;
	*) "$QUOTEY" "$@" ;;
	esac
}

curl() { command curl -f -m 20 "$@"; }

serve_demo() {
	mkdir "$scratch/demo" && cd "$scratch/demo" && mkfifo ready || return 1
	"$QUOTEY" seed && KEY=$("$QUOTEY" apikey create --name docs --scopes quotes:read,quotes:write) || return 1
	("$QUOTEY" start >ready & echo $! >pid)
	demo_pid=$(cat pid)
	await_ready ready 8
}

# The server ended well if it says that nothing of it lives.
stop_demo() {
	[ -n "$demo_pid" ] || return 0
	kill "$demo_pid" && demo_pid= && read -r -t 60 -u 8 line && [[ $line == *'"tasks_live":0'* ]]
}

ci_script() { # NAME ARGUMENTS...
	local script=$top_srcdir/$1 argument
	[ -x "$script" ] || { complain "$1 is missing or not executable"; return 1; }
	for argument in "${@:2}"; do
		grep -qwF -e "$argument" "$script" || { complain "$1 knows no $argument"; return 1; }
	done
	[ "$*" != "ci/demo --serve" ] || serve_demo
}

autoreconf() { [ -f "$top_srcdir/configure.ac" ] && [ "$*" = -fi ]; }

configure() {
	local argument
	for argument; do
		[[ $argument != --* ]] || grep -qF -e "${argument%%=*}" "$scratch/configure.help" ||
			complain "configure knows no $argument" || return 1
	done
}

make() {
	local argument file
	for argument; do
		case $argument in
		-j*) ;;
		TESTS=*)
			file=${argument#TESTS=}
			[ -f "$top_srcdir/$file" ] || [ -f "$top_srcdir/$file.c" ] ||
				complain "there is no $file" || return 1
			;;
		*)
			grep -qE "^$argument(\\$\\(EXEEXT\\))?:" "$top_builddir/Makefile" ||
				complain "make knows no $argument" || return 1
			;;
		esac
	done
}

test_program() { [ -f "$top_srcdir/$1.c" ] || complain "there is no $1.c"; }

# --- blocks -----------------------------------------------------------------------------------------

# A command's first words, quoted text and assignments aside.
first_words() {
	sed -E "s/'[^']*'/Q/g; s/\"[^\"]*\"/Q/g; s/(&&|\\|\\||[|;&]|\\$\\()/\\n/g" <<<"$1" |
		sed -E 's/^ *([A-Za-z_]+=[^ ]* *)*//; s/[ )].*//; /^$/d'
}

run_line() {
	local line=$1 word
	for word in $(first_words "$line"); do
		case $word in
		quotey | curl | kill | make | autoreconf | ./configure | ci/* | tests/*) ;;
		*) complain "nobody here knows how to check: $word"; return 1 ;;
		esac
	done
	line=$(sed -E 's#(^|&& )(ci/)#\1ci_script \2#g; s#(^|&& |[A-Z_]=[^ ]* )(tests/)#\1test_program \2#g
		s#(^|&& )\./configure#\1configure#g' <<<"$line")
	echo "\$ $1" >>"$log"
	eval "$line" >>"$log" 2>&1 || { complain "failed: $1"; return 1; }
	case $1 in
	"quotey start &") job=$! && await_ready "$fifo" 9 ;;
	"kill %1")
		wait "$job" || complain "the server ended with status $?" || return 1
		job=
		;;
	esac
}

# Whether this build cannot do what the block is about.
why_skipped() { # KIND FILE
	if [ "$1" = sh ] && grep -q 'runtime set\|quotey parity' "$2" && [ "$both" = no ]; then
		echo "needs both backends"
	elif [ "$1" = sh ] && grep -q '^curl' "$2" && ! command -v curl >/dev/null; then
		echo "no curl here"
	fi
}

run_block() { # KIND FILE
	local line
	[ -s "$2" ] || { complain "an empty block"; return 1; }
	case $1 in
	sh)
		cd "$doc_scratch" || return 1
		while read -r line <&3; do
			[ -z "$line" ] || run_line "$line" || return 1
		done 3<"$2"
		;;
	"c component")
		$CC -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -I"$top_srcdir/shim/include" \
			-x c "$2" >>"$log" 2>&1
		;;
	"c from "*)
		# A part of a file that is compiled and run: word for word, whole lines.
		line=$(cat "$2")
		[[ $'\n'$(cat "$top_srcdir/${1#c from }" 2>>"$log")$'\n' == *$'\n'"$line"$'\n'* ]] ||
			complain "this does not stand in ${1#c from }"
		;;
	ini) "$QUOTEY" config --config "$2" >>"$log" 2>&1 ;;
	text) ;;
	*) complain "a block of kind \"$1\": nobody here knows how to check it" ;;
	esac
}

# Splits a document into numbered files; prints "NUMBER:LINE:KIND" of each block.
split() { # FILE PREFIX
	awk -v prefix="$2" '
		/^```/ && inside { inside = 0; close(out); next }
		/^```/ { inside = 1; count++; out = prefix count; printf "" >out
			print count ":" NR ":" substr($0, 4); next }
		inside { print >out }' "$1"
}

# --- names ------------------------------------------------------------------------------------------

# What stands between backquotes outside of blocks, one a line.
quoted() { awk '/^```/ { inside = !inside; next } !inside' "$1" | grep -oE '`[^`]+`' | tr -d '`' | sort -u; }

check_name() {
	local word=${1%% *} words
	case $1 in
	shim/* | backends/* | compat/* | tests/* | ci/* | quotey/*)
		[ -e "$top_srcdir/$word" ] || [ -e "$top_builddir/$word" ] || complain "no such file: $word"
		;;
	--with-* | --enable-*)
		# shellcheck disable=SC2086
		configure $1
		;;
	"quotey "[a-z]*)
		words=$(grep -oE '^quotey( [a-z]+( |$)){1,2}' <<<"$1 " | sed 's/^quotey//')
		# shellcheck disable=SC2086
		"$QUOTEY" help $words >/dev/null 2>&1 || complain "no such command: $1"
		;;
	*.[ch] | *.sh | *.md) ;;
	database.* | server.* | control.* | web.* | security.* | runtime.* | logging.*)
		grep -qF "\"${word%%=*}\"" "$scratch/settings" || complain "no such setting: $1"
		;;
	qrt_[a-z]* | qrt__[a-z]* | QRT_[A-Z]*)
		word=$(grep -oE '^[A-Za-z_]+' <<<"$word")
		grep -rqwF "$word" "$top_srcdir/shim" "$top_srcdir/backends" "$top_srcdir/compat" \
			"$top_srcdir/tests/unit" ||
			complain "no such symbol: $word"
		;;
	esac
}

check_names() { # DOCUMENT
	local name link bad=0
	while IFS= read -r name; do
		check_name "$name" || bad=1
	done < <(quoted "$top_srcdir/$1")
	for link in $(grep -oE '\]\([^)]+\)' "$top_srcdir/$1" | sed 's/^](//; s/)$//' | grep -v '^http'); do
		[ -e "$top_srcdir/$(dirname "$1")/$link" ] || complain "a link to nothing: $link" || bad=1
	done
	return $bad
}

# --- all of it --------------------------------------------------------------------------------------

export QUOTEY_WEB_PORT=0 QUOTEY_CONTROL_PORT=0 QUOTEY_SERVER_DRAIN_LINGER_MS=50
plan=0
for document in $documents; do
	mkdir -p "$scratch/blocks/$document"
	split "$top_srcdir/$document" "$scratch/blocks/$document/" >"$scratch/blocks/$document/list"
	plan=$((plan + 1 + $(wc -l <"$scratch/blocks/$document/list")))
done
echo "1..$plan"

"$top_srcdir/configure" --help >"$scratch/configure.help"
(cd "$scratch" && "$QUOTEY" config --json >settings 2>/dev/null)
both=yes
"$QUOTEY" runtime promises --json | grep -q '"legacy".*"region"' || both=no

for document in $documents; do
	doc_scratch=$scratch/run/$document fifo=$scratch/run/$document/ready.fifo
	mkdir -p "$doc_scratch"
	ln -sfn "$(cd "$top_srcdir" && pwd)/tests" "$doc_scratch/tests" # scenarios, by their place in the tree
	mkfifo "$fifo"
	: >"$log"
	check_names "$document"
	result $? "$document: what it names is there"
	while IFS=: read -r number line kind <&4; do
		: >"$log"
		block=$scratch/blocks/$document/$number
		skip=$(why_skipped "$kind" "$block")
		if [ -n "$skip" ]; then
			result 0 "$document:$line" "$skip"
		else
			run_block "$kind" "$block"
			result $? "$document:$line: $kind block"
		fi
	done 4<"$scratch/blocks/$document/list"
	stop_demo || { echo "# $document: the server did not stop well"; failed=$((failed + 1)); }
	[ -z "$job" ] || { echo "# $document: leaves a server behind"; failed=$((failed + 1)); }
done
[ $failed = 0 ]
