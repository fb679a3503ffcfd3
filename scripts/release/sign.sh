#!/usr/bin/env bash
# Signs every file of a release: sign.sh DIRECTORY [OPTION OF COSIGN...]. Beside FILE it writes FILE.sigstore.json.
#
# Without options there is no key: cosign gets a certificate for the identity of the workflow, valid for some minutes, and the signature is
# recorded in the public log of Sigstore.
set -euo pipefail
directory=$1
shift

for file in "$directory"/*; do
  [[ $file = *.sigstore.json ]] || cosign sign-blob --yes "$@" --bundle "$file.sigstore.json" "$file"
done
