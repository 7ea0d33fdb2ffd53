# What the scripts of tests/e2e share that play the operator: TAP, and running the program. To be
# sourced, with QUOTEY and dir (a folder to work in) set.

tests=0 failed=
check() { # condition by exit code, name
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then echo "ok $tests - $2"; else
		echo "not ok $tests - $2"
		printf '%s\n' "rc=${rc-}" "stdout: ${out-}" "stderr: ${err-}" | sed 's/^/# /'
		failed=1
	fi
}
is() { # got, wanted, name
	[ "$1" = "$2" ]
	local equal=$?
	[ $equal -eq 0 ] || printf '# got    %s\n# wanted %s\n' "$1" "$2"
	check $equal "$3"
}
like() { # text, extended regular expression, name
	[[ $1 =~ $2 ]]
	local matches=$?
	[ $matches -eq 0 ] || printf '# no match of %s\n' "$2"
	check $matches "$3"
}
unlike() { # text, extended regular expression, name
	[[ ! $1 =~ $2 ]]
	check $? "$3"
}
# run ARGS...: sets rc, out and err.
run() {
	out=$("$QUOTEY" "$@" 2>"$dir/stderr" </dev/null)
	rc=$?
	err=$(<"$dir/stderr")
}
# Whether the backend is in the build.
has_backend() {
	local places
	places=$("$QUOTEY" runtime promises)
	places=${places%%$'\n'*}
	[[ " ${places,,} " =~ \ $1\  ]]
}
