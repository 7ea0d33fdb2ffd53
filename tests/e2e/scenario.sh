#!/bin/bash
# Scenarios as an operator meets them: `quotey lab play` and `quotey parity` with the files of
# tests/lab/scenarios, what a mistake in a file is answered with, and exit codes. Speaks TAP.
set -u
. "$(dirname "$0")/lib.sh" || exit 99
scenarios=$top/tests/lab/scenarios
# Where plays put their databases: they must take them away again.
mkdir tmp
export TMPDIR=$dir/tmp

both=
has_backend legacy && has_backend region && both=yes

# --- usage ---------------------------------------------------------------------------------

run help lab play
like "$rc $out" '^0 .*--backend.*--seed.*--transcript' 'lab play explains itself'
run help parity
like "$rc $out" '^0 .*Exit code 1' 'parity explains itself'
run lab play x.scn
like "$rc $err" '^2 .*--backend is missing' 'a play needs a backend'
run lab play --backend lab
like "$rc $err" '^2 .*the file is missing' 'a play needs a file'
run lab play x.scn --backend moon
like "$rc $err" '^2 .*"moon" is none of legacy, region, lab' 'an unknown backend is named'
run lab play x.scn --backend region --seed 1
like "$rc $err" '^2 .*--seed is for --backend lab only' 'a seed is for the lab'
run lab play none.scn --backend lab
like "$rc $err" '^2 .*none.scn: No such file' 'a file that is not there is named'
run parity
like "$rc $err" '^2 .*no file given' 'parity needs a file'

# --- mistakes ------------------------------------------------------------------------------

printf 'seed demo\n\nGET /api/v1/quotes as nobody\n' >mistake.scn
run lab play mistake.scn --backend lab
like "$rc $err" '^2 .*mistake.scn:3:23: "nobody" is no key' 'a mistake is told with line and column'
run lab play mistake.scn --backend lab --json
like "$out" '"error_class":"config_validation","message":"mistake.scn:3:23:' 'also as JSON'
head -c 1100000 /dev/zero | tr '\0' '\n' >large.scn
run lab play large.scn --backend lab
like "$rc $err" '^2 .*large.scn:1:1: the file has more than 1 MiB' 'a file that is too large is refused'

# --- plays ---------------------------------------------------------------------------------

for file in "$scenarios"/*.scn; do
	run lab play "$file" --backend lab
	like "$rc $out" '^0 .* all as expected$' "${file##*/} plays in the lab"
done
run lab play "$scenarios/crash.scn" --backend lab --seed 5 --transcript
first=$out
run lab play "$scenarios/crash.scn" --backend lab --seed 5 --transcript
[ "$out" = "$first" ] && [[ $out =~ '> done' && ! $out =~ skipped ]]
check $? 'the same seed plays the same, and the lab skips nothing'
run lab play "$scenarios/switch.scn" --backend lab --json
like "$rc $out" '^0 .*"backend":"lab","failures":0,.*"moves":3,"requests":200,' 'the summary as JSON'

printf 'GET /nowhere\n  expect 200\nGET /nowhere\n  expect 404\n' >wrong.scn
run lab play wrong.scn --backend lab
like "$rc $err" '^6 wrong.scn:2:3: expected 200, got 404' 'what does not hold is told, and the code is 6'
like "$err" '1 of its expectations did not hold' 'and counted'

# The faults that tests/lab/README.md lists are the lab's.
faults=0
while read -r fault; do
	faults=$((faults + 1))
	printf '%s\nheal\nGET /nowhere\n  expect 404\n' "$fault" >fault.scn
	run lab play fault.scn --backend lab
	like "$rc $out" '^0 .*all as expected$' "$fault"
done < <(sed -n 's/^| `\(fault [^`]*\|crash\)` .*/\1/p' "$top/tests/lab/README.md")
[ $faults -eq 20 ]
check $? 'all of them are listed'

for backend in legacy region; do
	has_backend $backend || continue
	run lab play "$scenarios/pricing.scn" --backend $backend --transcript
	like "$rc $out" '^0 == .*< 201.*== the tables.* all as expected$' "pricing.scn plays on $backend"
done
if [ -n "$both" ]; then
	run lab play "$scenarios/crash.scn" --backend region --transcript
	like "$rc $out" '^0 .*> skipped: only in a lab.* 4 skipped, ' 'what only a lab can do is skipped, and says so'
	run parity "$scenarios"/*.scn
	like "$rc $out" '^0 .*catalogue.scn: [0-9]+ lines, the same on legacy, region, server=region db=legacy' \
		'parity: catalogue.scn is the same on four assignments'
	like "$out" 'switch.scn: [0-9]+ lines, the same on legacy, region' 'parity: switch.scn is, moved both ways'
	for file in ack duplicate refresh lost move; do
		like "$out" "slack_$file.scn: [0-9]+ lines, the same on legacy, region" "parity: slack_$file.scn is the same"
	done
	like "$out" 'slack_retry.scn: for the lab only, not compared' 'parity leaves out what is for the lab only'
	run lab play "$scenarios/slack_retry.scn" --backend region
	like "$rc $err" '^3 .*the scenario is for a lab only' 'and a real backend refuses it'
	# The page of a protocol fault is the parser's own; what is kept of it differs between backends.
	cat >differs.scn <<'END'
raw "hello\r\n\r\n"
  keep page from body
sql "SELECT length('${page}') > 0" at least 0
sql "SELECT hex('${page}')" at most 0
END
	run parity differs.scn wrong.scn
	like "$rc $out" '^1 .*differs.scn: [0-9]+ lines? differ.*== [34] sql .*- legacy .*\+ region ' \
		'a difference is printed with what was asked, and the code is 1'
	like "$err" 'lines differ between backends' 'and counted'
fi
[ -z "$(ls -A tmp)" ]
check $? 'no play has left a database behind'

echo "1..$tests"
[ -z "$failed" ]
