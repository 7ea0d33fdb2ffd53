#!/bin/bash
# The lab as an operator meets it: `quotey lab run`, `lab sweep` and `lab replay` with the files of
# tests/lab/scenarios. QRT_LAB_SEEDS says for how many seeds; all points are swept with more than
# 100 of them, else the first kinds only. Speaks TAP.
set -u
. "$(dirname "$0")/lib.sh" || exit 99
seeds=${QRT_LAB_SEEDS:-20}
jobs=$(nproc)
cp "$top"/tests/lab/scenarios/*.scn . || exit 99

both=
has_backend legacy && has_backend region && both=yes

# --- usage ---------------------------------------------------------------------------------

run lab run
like "$rc $err" '^2 .*the file is missing' 'a campaign needs a file'
run lab run pricing.scn --seeds none
like "$rc $err" '^2 .*--seeds' 'a bad number is named'
run lab run pricing.scn --strategy best
like "$rc $err" '^2 .*"best" is none of random, pct, round' 'an unknown strategy is named'
run lab sweep pricing.scn
like "$rc $err" '^2 .*what is swept' 'a sweep needs a kind'
run lab sweep pricing.scn --io --backend region
like "$rc $err" '^2 .*are for --backend lab' 'a real backend has no simulated failures'
run lab replay not-a-token pricing.scn
like "$rc $err" '^2 .*"not-a-token" is no token' 'what is no token is named'

# --- campaigns -----------------------------------------------------------------------------

for strategy in random pct round; do
	run lab run pricing.scn --seeds "$seeds" --jobs "$jobs" --strategy $strategy
	like "$rc $out" "^0 .*pricing.scn: $seeds runs, 0 failures" "$strategy: pricing.scn holds for $seeds seeds"
done
like "$out" 'marks reached' 'marks are counted'
like "$out" 'never: nobody knows whether a write was committed' 'and named when they were never reached'
run lab run crash.scn --seeds "$seeds" --jobs "$jobs"
like "$rc $out" "^0 .*crash.scn: $seeds runs, 0 failures, [0-9]+ steps, [1-9][0-9]* faults" \
	"crash.scn holds for $seeds seeds, with faults"
if [ "$both" ]; then
	run lab run switch.scn --seeds "$seeds" --jobs "$jobs"
	like "$rc $out" "^0 .*switch.scn: $seeds runs, 0 failures" "switch.scn holds for $seeds seeds"
	run lab run switch.scn --seeds "$seeds" --jobs "$jobs" --strategy pct --depth 5
	like "$rc $out" "^0 .*switch.scn: $seeds runs, 0 failures" "pct: switch.scn holds for $seeds seeds"
fi

# Slack: a quarter of the seeds for each, for there are many.
few=$(((seeds + 3) / 4))
for file in ack duplicate refresh overlap lost retry move handover flood db_slow storm crash; do
	run lab run "slack_$file.scn" --seeds $few --jobs "$jobs"
	like "$rc $out" "^0 .*slack_$file.scn: $few runs, 0 failures" "slack_$file.scn holds for $few seeds"
done
run lab run slack_move.scn --seeds $few --jobs "$jobs" --strategy pct --depth 5
like "$rc $out" "^0 .*slack_move.scn: $few runs, 0 failures" "pct: slack_move.scn holds for $few seeds"

# --- a failure -----------------------------------------------------------------------------

# Two clients draft one after the other, and each thinks that it is the first.
cat >order.scn <<'END'
title Who comes first depends on the order
key writer scopes quotes:read,quotes:write
together
  branch 3
    POST /api/v1/quotes as writer
      header Content-Type: application/json
      body {"currency": "USD", "lines": []}
      expect 201
      keep id from header Location after /quotes/
  branch
    POST /api/v1/quotes as writer
      header Content-Type: application/json
      body {"currency": "EUR", "lines": []}
      expect 201
      expect header Location has -0004
end
END
run lab run order.scn --seeds 40 --shrink shrunk.txt
like "$rc $out" '^6 .*order.scn: seed [0-9]+ failed: QRT_EFAILED: order.scn:15:7: ' \
	'a failure ends the campaign, with its seed and its place in the file'
like "$out" 'shrunk in [0-9]+ runs, choices: .*recorded in shrunk.txt' 'it is shrunk'
token=$(sed -n 's/^replay token //p' <<<"$out" | tail -1)
like "$token" '^qrt1-[0-9a-f]+-random-[0-9a-f]{16}-[0-9a-f]{16}$' 'its token is printed'
run lab replay "$token" order.scn
like "$rc $out" '^6 .*order.scn:15:7: ' 'the token shows it again'
run lab replay "$token" order.scn --trace shrunk.txt
like "$rc $out" '^6 .*order.scn:15:7: ' 'and so does what was shrunk'
run lab replay "$token" order.scn --record all.txt
run lab replay "$token" order.scn --trace all.txt
like "$rc $out" '^6 .*order.scn:15:7: ' 'a recording is replayed to the same end'
sed '/^s 0 RUN/{s/$/9/;:a;n;ba}' all.txt >bent.txt
run lab replay "$token" order.scn --trace bent.txt
like "$rc $out" '^6 .*differs from bent.txt at line [0-9]+.*recorded: s .*now: +s ' \
	'the first step that differs is printed as it was and as it is'
run lab replay "$token" pricing.scn
like "$rc $err" '^2 .*another configuration.*--force' 'a token is of one file'
run lab replay "${token/-random-/-random-0}" order.scn
like "$rc" '^2' 'a bent token is refused'

# --- sweeps --------------------------------------------------------------------------------

kinds="--cancel --cancel-task --deadline"
[ "$seeds" -gt 100 ] && kinds="$kinds --io --crash --alloc"
for kind in $kinds; do
	run lab sweep pricing.scn "$kind" --jobs "$jobs"
	like "$rc $out" "^0 .*pricing.scn $kind: [1-9][0-9]* points, [0-9]+ runs, 0 failures" \
		"$kind at each of its points does no harm"
done
for backend in legacy region; do
	has_backend $backend || continue
	run lab sweep pricing.scn --cancel --backend $backend --jobs "$jobs"
	like "$rc $out" '^0 .*points, [0-9]+ runs, 0 failures' "--cancel does no harm on $backend"
done
run lab sweep slack_lost.scn --cancel --jobs "$jobs"
like "$rc $out" '^0 .*slack_lost.scn --cancel: [1-9][0-9]* points, [0-9]+ runs, 0 failures' \
	'slack_lost.scn: a line or an envelope that is cancelled anywhere does no harm'
if [ "$seeds" -gt 100 ]; then
	for kind in --cancel-task --deadline --io --crash --alloc; do
		run lab sweep slack_lost.scn $kind --jobs "$jobs"
		like "$rc $out" "^0 .*slack_lost.scn $kind: [1-9][0-9]* points, [0-9]+ runs, 0 failures" \
			"slack_lost.scn: $kind at each of its points does no harm, and what was acked is there"
	done
fi
cat >small.scn <<'END'
title One quote, and the power goes
key writer scopes quotes:read,quotes:write
POST /api/v1/quotes as writer
  header Content-Type: application/json
  body {"currency": "USD", "lines": []}
  expect 201
END
for kind in --crash --io; do
	run lab sweep small.scn $kind --jobs "$jobs"
	like "$rc $out" "^0 .*small.scn $kind: [1-9][0-9]* points, [0-9]+ runs, 0 failures" \
		"small.scn: $kind at each disk operation does no harm"
done

echo "1..$tests"
[ -z "$failed" ]
