#!/usr/bin/env bash
# Pushes a Helm chart to an OCI registry, and prints its reference with the digest: publish-chart.sh CHART.tgz oci://REGISTRY/PATH [OPTION OF HELM...]
set -euo pipefail
chart=$1 destination=$2
shift 2

output=$(helm push "$chart" "$destination" "$@" 2>&1) || { printf '%s\n' "$output" >&2 && exit 1; }
printf '%s\n' "$output" >&2
name=$(helm show chart "$chart" | sed -n 's/^name: //p')
digest=$(sed -n 's/^Digest: *//p' <<<"$output")
[[ $digest = sha256:* ]] || { echo 'helm push has printed no digest' >&2 && exit 1; }
echo "${destination#oci://}/$name@$digest"
