#!/bin/bash
# The same seed is the same execution whatever has compiled it: gcc and clang, without and with
# optimisation, and under AddressSanitizer. Compiles the labs and what they need with each, runs
# one fixed program (same_hash.c) on many seeds, and compares every hash.
#
# Must never build into the tree, and links no backend but the labs.
set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}"
unset MAKEFLAGS MAKELEVEL MFLAGS
seeds=${QRT_LAB_SEEDS:-50}

if [ "${QRT_BRIEF:-no}" = yes ]; then
	echo "1..0 # SKIP not in this row"
	exit 0
fi
for compiler in gcc clang; do
	command -v $compiler >/dev/null || { echo "1..0 # SKIP no $compiler here"; exit 0; }
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log

# A variable of the build, with its variables put in.
configured() { printf 'include Makefile\nshow:\n\t@echo $(%s)\n' "$1" | make -s -C "$top_builddir" -f - show 2>/dev/null | tail -1; }

n=0 failed=0
result() { # STATUS WHAT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		tail -30 "$log" | sed 's/^/# /'
		failed=$((failed + 1))
	fi
}

# Everything that is in every build, but what the labs have no use for.
sources() {
	sed -n '/^if /q; s,.*%D%/\(src/[a-z0-9_/]*\.[cS]\)\( .*\)*$,shim/\1,p' "$top_srcdir/shim/include.am"
	sed -n '/^if /q; s,.*%D%/\([a-z0-9_/]*\.c\)\( .*\)*$,backends/\1,p' "$top_srcdir/backends/include.am"
}

sqlite=$(configured SQLITE_CFLAGS) libs="$(configured SQLITE_LIBS) $(configured SSL_LIBS) $(configured CRYPTO_LIBS) $(configured PTHREAD_LIBS)"
# What the build has found out about the system; none of its backends, and no texts.
defines=$(configured DEFS | tr ' ' '\n' | grep -E '^-D[A-Za-z0-9_]+=[0-9]+$' | grep -v QRT_WITH_ | tr '\n' ' ')

# shellcheck disable=SC2086
compile_one() { # FILE
	local object=$folder/${1//\//_}.o
	$compiler -std=gnu11 $flags $defines -pthread $sqlite $llhttp \
		-I"$top_srcdir" -I"$top_srcdir/shim/include" -c -o "$object" "$top_srcdir/$1"
} 2>&1
llhttp=$(configured LLHTTP_CFLAGS)
export -f compile_one
export top_srcdir defines sqlite llhttp

# Compiles $needed and links the program, into $folder.
build() {
	export folder=$scratch/$1 compiler=$2 flags=$3
	mkdir "$folder"
	# shellcheck disable=SC2016
	xargs -P 2 -I{} bash -c 'compile_one {}' <"$scratch/needed" >"$log" 2>&1 || return 1
	link_program
}

# shellcheck disable=SC2086
link_program() {
	rm -f "$folder/all.a"
	ar cr "$folder/all.a" "$folder"/*.o
	$compiler $flags -pthread -Wl,-Map="$folder/map" -o "$folder/program" \
		"$folder/tests_e2e_same_hash.c.o" "$folder/all.a" $libs >>"$log" 2>&1
}

# What the first program was linked from is all that the others need.
narrow() {
	local source
	while read -r source; do
		grep -qF "(${source//\//_}.o)" "$scratch/first/map" && echo "$source"
	done <"$scratch/needed" >"$scratch/narrowed"
	echo tests/e2e/same_hash.c >>"$scratch/narrowed"
	[ "$(wc -l <"$scratch/narrowed")" -gt 40 ] && mv "$scratch/narrowed" "$scratch/needed"
}

play() { # NAME
	ASAN_OPTIONS=detect_leaks=0 "$scratch/$1/program" "$seeds" >"$scratch/$1/out" 2>"$log"
}

same_as_first() { # NAME
	play "$1" && diff "$scratch/first/out" "$scratch/$1/out" >"$log"
}

echo "1..7"
{ sources | sort -u; echo tests/e2e/same_hash.c; } >"$scratch/needed"
build first gcc -O0 && narrow
result $? "gcc compiles the labs and what they need"
play first && [ "$(wc -l <"$scratch/first/out")" = "$seeds" ]
result $? "the program plays $seeds seeds"
[ $failed = 0 ] || exit 1
[ "$(awk '{ print $2 }' "$scratch/first/out" | sort -u | wc -l)" = "$seeds" ]
result $? "each seed is another execution"
build gcc-O2 gcc -O2 && same_as_first gcc-O2
result $? "gcc -O2 plays the same"
build clang-O0 clang -O0 && same_as_first clang-O0
result $? "clang -O0 plays the same"
build clang-O2 clang -O2 && same_as_first clang-O2
result $? "clang -O2 plays the same"
build asan gcc "-O1 -fsanitize=address" && same_as_first asan
result $? "under AddressSanitizer it plays the same"
[ $failed = 0 ]
