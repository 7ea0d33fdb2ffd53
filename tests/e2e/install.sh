#!/bin/bash
# Installs into a scratch folder and builds a program against what is there, by pkg-config alone.
# The program runs a region with two tasks on every backend of the build but the labs.
#
# By DESTDIR, not by another prefix: libtool refuses to install a library elsewhere than configured.
set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CC:=cc}"
: "${top_builddir:=$top_srcdir}"
unset MAKEFLAGS MAKELEVEL MFLAGS DESTDIR

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log

# A directory as configure has it, with its variables put in.
configured() { printf 'include Makefile\nshow:\n\t@echo $(%s)\n' "$1" | make -s -C "$top_builddir" -f - show 2>/dev/null | tail -1; }

n=0 failed=0
step() { # WHAT COMMAND...
	n=$((n + 1))
	if "${@:2}" >"$log" 2>&1; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		tail -30 "$log" | sed 's/^/# /'
		failed=$((failed + 1))
	fi
}

libdir=$(configured libdir) includedir=$(configured includedir) bindir=$(configured bindir)
sanitize=$(configured QRT_SANITIZE)
# Also what stands in the system's own folders is to be named, because here it stands elsewhere.
export PKG_CONFIG_PATH=$scratch$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$scratch
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1

cat >"$scratch/two.c" <<'C'
#include <qrt/qrt.h>
#include <stdio.h>
#include <string.h>

static enum qrt_err one(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = qrt_sleep(cx, QRT_MS);
	*(int *)arg += err ? 0 : 1;
	return err;
}

static enum qrt_err two(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	for (int i = 0; i < 2 && !err; i++) {
		err = qrt_spawn(region, one, arg);
	}
	return qrt_region_close(cx, &region, err);
}

int main(void)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		const struct qrt_runtime_options options = {.backend = names[i]};
		struct qrt_runtime *rt;
		int ended = 0;
		if (strncmp(names[i], "lab", 3) == 0) {
			continue;
		}
		if (qrt_runtime_open(&options, NULL, &rt) || qrt_run_main(rt, two, &ended)) {
			return 1;
		}
		qrt_runtime_close(&rt);
		printf("%s: %d tasks ended\n", names[i], ended);
	}
	return 0;
}
C
install_all() { make -C "$top_builddir" install DESTDIR="$scratch"; }

is_installed() {
	local header
	for header in "$top_srcdir"/shim/include/qrt/*.h; do
		[ -f "$scratch$includedir/qrt/${header##*/}" ] || { echo "${header##*/} is missing"; return 1; }
	done
	[ -x "$scratch$bindir/quotey" ] || { echo "quotey is missing"; return 1; }
}

# shellcheck disable=SC2046,SC2086
compile() {
	pkg-config --exists --print-errors qrt &&
		$CC -std=gnu11 -Wall -Wextra -Werror $sanitize -o "$scratch/two" "$scratch/two.c" \
			$(pkg-config --cflags --libs qrt)
}

# Every real backend of the build once, and nothing else.
run() {
	local expected=
	grep -q '^#define QRT_WITH_LEGACY\|-DQRT_WITH_LEGACY=1' "$top_builddir/Makefile" &&
		expected=$'legacy: 2 tasks ended\n'
	grep -q '^#define QRT_WITH_REGION\|-DQRT_WITH_REGION=1' "$top_builddir/Makefile" &&
		expected+=$'region: 2 tasks ended\n'
	LD_LIBRARY_PATH=$scratch$libdir "$scratch/two" >"$scratch/out" || return 1
	[ -n "$expected" ] && diff <(printf %s "$expected") "$scratch/out"
}

hidden() {
	local strange
	strange=$(nm -D --defined-only "$scratch$libdir/libqrt.so" | awk '$2 ~ /[TDBR]/ { print $3 }' |
		grep -vE '^(qrt|__wrap)_|@') || return 0
	echo "exported, but not public: $strange"
	return 1
}

echo "1..5"
step "make install works" install_all
step "every header and the program are installed" is_installed
step "a program compiles by pkg-config alone" compile
step "it runs a region with two tasks on every backend" run
step "only public symbols are exported" hidden
[ $failed = 0 ]
