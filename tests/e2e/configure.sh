#!/bin/bash
# What configure refuses, it refuses with a clear sentence. TAP.
set -u
if [ "${QRT_BRIEF:-no}" = yes ]; then
	echo "1..0 # SKIP not in this row"
	exit 0
fi
top=${top_srcdir:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
refuses() { # NAME SENTENCE ARGUMENTS...
	local name=$1 sentence=$2
	shift 2
	n=$((n + 1))
	if (cd "$work" && "$work/src/configure" -q "$@") >"$work/out" 2>&1; then
		echo "not ok $n - $name"
		echo "# it did not refuse"
	elif grep -qF -- "$sentence" "$work/out"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		tail -3 "$work/out" | sed 's/^/# /'
	fi
}
if [ ! -x "$top/configure" ]; then
	echo "1..0 # SKIP no configure here"
	exit 0
fi
# In a copy of what configure reads: it refuses a source folder that is built in already.
mkdir -p "$work/src/ci" "$work/src/shim/include/qrt"
cp "$top/configure" "$work/src/"
cp -R "$top/ci/build-aux" "$work/src/ci/"
cp "$top/shim/include/qrt/qrt.h" "$work/src/shim/include/qrt/"
echo "1..5"
refuses "a build without a real backend" "names neither legacy nor region" --with-backends=lab
refuses "an unknown backend" 'unknown backend "tokio"' --with-backends=legacy,tokio
refuses "legacy without libevent" "the legacy backend needs libevent 2.1" \
	PKG_CONFIG_PATH=/nonexistent PKG_CONFIG_LIBDIR="$work"
# A folder with all .pc files but one.
mkdir "$work/pc"
for folder in $(pkg-config --variable pc_path pkg-config | tr : ' '); do
	for file in "$folder"/*.pc; do
		case ${file##*/} in libuv.pc | libuv-static.pc) ;; *) ln -sf "$file" "$work/pc/" ;; esac
	done
done
refuses "region without libuv" "the region backend needs libuv 1.44" PKG_CONFIG_LIBDIR="$work/pc"
refuses "an unknown way to switch" "is neither asm nor ucontext" --with-fiber=magic
