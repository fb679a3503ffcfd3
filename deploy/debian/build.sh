#!/bin/sh
# Builds the Debian package from this clone, for each architecture that is named, or for amd64 and arm64:
#
#   deploy/debian/build.sh DIRECTORY [ARCHITECTURE]...
#
# DIRECTORY gets the packages. The same commit gives the same bytes. Needs Node with npm, Git, and nfpm:
#   go install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
set -eu
mkdir -p "$1"
out=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- amd64 arm64
cd "$(dirname "$0")/../.."
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT
export STAGE

VERSION=$(node -p 'require("./package.json").version')
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
HOMEPAGE=$(node -p 'require("./package.json").repository.url.replace(/^git\+|\.git$/g, "")')#readme
MAINTAINER="the gitops-status-server authors <$HOMEPAGE>"
export VERSION SOURCE_DATE_EPOCH HOMEPAGE MAINTAINER

# What npm publishes, with its dependencies in the versions of package-lock.json.
npm pack --silent --pack-destination "$STAGE" >/dev/null
tar -x -C "$STAGE" -f "$STAGE"/*.tgz
package=$STAGE/package

cp package-lock.json "$package"
npm ci --prefix "$package" --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund --silent

# Where Debian expects them. Each dependency has its license in its own directory.
doc=$STAGE/doc
mkdir "$doc"
node deploy/debian/copyright.mjs "$package" >"$doc/copyright"
gzip -9n <"$package/CHANGELOG.md" >"$doc/CHANGELOG.md.gz"
gzip -9n <<END >"$doc/changelog.gz"
gitops-status-server ($(echo "$VERSION" | sed 's/-/~/')) stable; urgency=medium

  * CHANGELOG.md.gz lists the changes.

 -- $MAINTAINER  $(LC_ALL=C date --utc --date="@$SOURCE_DATE_EPOCH" --rfc-email)
END

# What the server does not run.
rm -rf "$package"/*.md "$package/LICENSE" "$package/package-lock.json" "$package/deploy"
find "$package" \( -name '.*' -o -name '*.map' -o -name '*.ts' -o -name '*.[cm]ts' \) -prune -exec rm -r {} +

# The compiled parts of a dependency, for one architecture.
native=$package/node_modules/fs-native-extensions/prebuilds
mv "$native" "$STAGE/prebuilds"
for ARCH; do
  export ARCH
  case $ARCH in amd64) cpu=x64 ;; *) cpu=$ARCH ;; esac
  rm -rf "$native"
  mkdir "$native"
  cp -r "$STAGE/prebuilds/linux-$cpu" "$native"
  rm "$native/linux-$cpu"/*.bare
  find "$STAGE" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  nfpm package --config deploy/debian/nfpm.yaml --packager deb --target "$out" >/dev/null
done
