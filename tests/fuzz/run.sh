#!/bin/bash
# Fuzzes: every target under libFuzzer for a while, from its corpus in the tree. Builds in fuzz-build
# of the build folder, by clang with ASan and UBSan. What is found stays there, is told with how to
# replay it, and is tried again first next time. Exit status: 0 nothing found, 1 something, or it did
# not build, 77 there is no libFuzzer.
#
#	SECONDS_EACH=60 TARGETS="http json" JOBS=2 tests/fuzz/run.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
at=${top_builddir:-.}/fuzz-build
seconds=${SECONDS_EACH:-60} jobs=${JOBS:-$(nproc)}
targets=${TARGETS:-$(cd "$here" && ls fuzz_*.c | sed 's/fuzz_\(.*\)\.c/\1/')}

if ! command -v clang >/dev/null || ! echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
	clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; then
	echo "fuzz: no clang with libFuzzer here (clang, libclang-rt-14-dev)" >&2
	exit 77
fi
mkdir -p "$at" && cd "$at" || exit 1
if [ ! -f Makefile ]; then
	# Edges are counted in everything, the fuzzer's own main only where it is wanted.
	"$top/configure" CC=clang --with-sanitizer=address,undefined --enable-tests \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' >configure.out 2>&1 || { tail -3 configure.out; exit 1; }
fi
make -j"$jobs" $(printf 'tests/fuzz/fuzz_%s ' $targets) >make.out 2>&1 ||
	{ grep -m5 -e error: -e '\*\*\*' make.out >&2; exit 1; }

failed=0
for target in $targets; do
	mkdir -p "corpus/$target" "found/$target"
	if "tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="found/$target/" "corpus/$target" "$here/corpus/$target" "found/$target" >"$target.log" 2>&1; then
		awk -v t="$target" '/^#.*(DONE|cov:)/ { line = $0 } /number_of_executed_units/ { n = $2 }
			END { match(line, /cov: [0-9]+/); print t ": " n " runs, " substr(line, RSTART, RLENGTH) " edges, nothing found" }' "$target.log"
	else
		failed=1
		echo "$target: found something; replay it with $PWD/tests/fuzz/fuzz_$target FILE:"
		ls "found/$target"/* 2>/dev/null
		grep -m3 -E 'ERROR|SUMMARY|#[0-9]+ .*fuzz_' "$target.log"
	fi
done
exit $failed
