#!/usr/bin/env bash
# Publishes a package to npm, with a statement of where it was built: publish-npm.sh PACKAGE.tgz CHANNEL [OPTION OF NPM...]
#
# In GitHub Actions npm trusts the workflow, if the package on npm says so. NPM_TOKEN is for the first version of all, before there is a
# package.
set -euo pipefail
package=$1 channel=$2
shift 2

if [ -n "${NPM_TOKEN:-}" ]; then
  registry=$(npm config get registry)
  # By the environment, as a command line can be read by everyone on the machine. The name of the setting begins with the registry.
  exec env "npm_config_${registry#http*:}:_authToken=$NPM_TOKEN" npm publish "$package" --access public --tag "$channel" --provenance "$@"
fi
exec npm publish "$package" --access public --tag "$channel" --provenance "$@"
