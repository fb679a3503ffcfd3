#!/usr/bin/env bash
# Builds programs that a release needs: tools.sh DIRECTORY PROGRAM... Needs Go, which checks what it downloads against its public database of
# checksums. `registry` is for a dry run, and so is cosign, which the workflow gets from its own action.
set -euo pipefail
directory=$(mkdir -p "$1" && cd "$1" && pwd)
shift

declare -A modules=(
  [helm]=helm.sh/helm/v4/cmd/helm@v4.3.2
  [nfpm]=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
  [cosign]=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
  [registry]=github.com/distribution/distribution/v3/cmd/registry@v3.1.2
)
for program; do
  GOBIN=$directory go install "${modules[$program]:?tools.sh does not know $program}"
done
