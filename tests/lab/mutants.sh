#!/bin/bash
# Every mutant of shim/src/base/mutant.h, and what catches it. TAP; the table is in its comments.
# Of a build with --enable-mutants. QRT_LAB_SEEDS: seeds for each of the five faults of the field.
#
# A mutant counts as caught when the hunt through the scenes finds it: by a verdict, an assertion, a
# deadlock or a wrong result. Whether test_oracles, with its few seeds, does so too stands beside.
set -u
build=${top_builddir:-.}
hunt=$build/tests/lab/hunt
oracles=$build/tests/lab/test_oracles
seeds=${QRT_LAB_SEEDS:-200}
most=200 # seeds for any other
n=0 planted=0 caught=0

if [[ ! $seeds =~ ^[1-9][0-9]{0,6}$ ]]; then
	echo "mutants.sh: QRT_LAB_SEEDS is \"$seeds\", not a number of seeds" >&2
	exit 2
fi
unset QRT_MUTANT
names=$("$hunt" --list | cut -d' ' -f1)
field=$("$hunt" --field)

tell() { # OK NAME
	n=$((n + 1))
	if [ "$1" = yes ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# What the hunt says of $1 with strategy $2 and $3 seeds: hits|smallest seed|caught by.
track() {
	QRT_MUTANT=$1 "$hunt" "$2" "$3" 2>/dev/null || echo "0|0|the hunt itself failed"
}

echo "1..$(($(wc -w <<<"$names") + 1))"
IFS='|' read -r hits smallest by <<<"$(track "" first "$most")"
sound=no
[ "$hits" = 0 ] && [ -z "$by" ] && sound=yes
tell $sound "the sound program: seeds 1 to $most find nothing"
[ $sound = yes ] || echo "# seed $smallest: $by"

printf '# %-20s %-44s %-12s %-12s %-12s %s\n' mutant "caught by" test_oracles random PCT "smallest seed"
for name in $names; do
	planted=$((planted + 1))
	random=- pct=-
	if grep -qx "$name" <<<"$field"; then
		IFS='|' read -r hits smallest by <<<"$(track "$name" random "$seeds")"
		IFS='|' read -r pct_hits pct_smallest pct_by <<<"$(track "$name" pct "$seeds")"
		random=$hits/$seeds pct=$pct_hits/$seeds
		if [ "$hits" = 0 ] || { [ "$pct_hits" != 0 ] && [ "$pct_smallest" -lt "$smallest" ]; }; then
			hits=$pct_hits smallest=$pct_smallest by=$pct_by
		fi
	else
		IFS='|' read -r hits smallest by <<<"$(track "$name" first "$most")"
	fi
	# What it prints, and how it may end, is the mutant's affair.
	if { QRT_MUTANT=$name timeout 60 "$oracles" >/dev/null; } 2>/dev/null; then suite=no; else suite=yes; fi
	if [ "$hits" != 0 ]; then
		caught=$((caught + 1))
		tell yes "$name is caught"
	else
		by="nothing" smallest=-
		tell no "$name is caught"
	fi
	printf '# %-20s %-44.44s %-12s %-12s %-12s %s\n' "$name" "$by" $suite "$random" "$pct" "$smallest"
done
echo "# $planted planted, $caught caught"
