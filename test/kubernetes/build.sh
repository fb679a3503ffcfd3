#!/usr/bin/env bash
# Builds the programs of a Kubernetes control plane for the tests, with Go and its module proxy: some minutes on two cores. etcd is not
# among them: Debian has it as etcd-server.
#
#   build.sh DIRECTORY [VERSION]     into DIRECTORY, which is made
set -euo pipefail
version=${2:-1.35.0}
mkdir -p "$1"
directory=$(realpath "$1")
module=$(mktemp -d)
trap 'rm -rf "$module"' EXIT
cd "$module"

# Kubernetes has modules of its own in its repository, without a version there: 1.35.0 of Kubernetes goes with 0.35.0 of each.
manifest=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"GoMod": "\(.*\)",\?$/\1/p')
{
  printf 'module kubernetes\n\n%s\n\nrequire k8s.io/kubernetes v%s\n\n' "$(grep '^go ' "$manifest")" "$version"
  sed -n "s|^\s*\(replace \)\?\(k8s\.io/[^ ]*\) => \./staging/.*|replace \2 => \2 v0.${version#1.}|p" "$manifest"
} >go.mod

flags='-s -w'
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d . -f 2 <<<"$version")"
done
for program in kubectl kube-apiserver kube-controller-manager; do
  CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags "$flags" -o "$directory/$program" "k8s.io/kubernetes/cmd/$program"
done
