#!/bin/bash
# The checks on the tree itself, and that each notices a planted fault. TAP.
set -u
if [ "${QRT_BRIEF:-no}" = yes ]; then
	echo "1..0 # SKIP not in this row"
	exit 0
fi
top=${top_srcdir:-.}
build=${top_builddir:-.}
n=0
check() { # NAME COMMAND...
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >&2; then echo "ok $n - $name"; else echo "not ok $n - $name"; fi
}
echo "1..4"
check "layers, lists, screens and documents are in order" "$top/ci/tidy"
check "each fault planted in a copy of the tree is noticed" "$top/ci/tidy" --self-test
check "no object of the product uses more than its folder may" "$top/ci/authority" "$build"
check "a clock planted in quotey/core is noticed" "$top/ci/authority" "$build" --self-test
