#!/bin/sh
# Builds the image and runs it as docs/install/container.md says: deploy/image-test.sh [docker|podman] [--make-base]
#
# --make-base   makes the base image here, for a Debian machine as root that reaches no registry of images: Debian by debootstrap, and the
#               Node of the Dockerfile from npm. Without it, the engine pulls the base.
# BUILD_FLAGS   more flags for the build. If podman cannot make cgroups: BUILD_FLAGS='--isolation chroot'
# RUN_FLAGS     more flags for the containers. If podman cannot make cgroups or raise limits:
#               RUN_FLAGS='--runtime runc --no-healthcheck --ulimit nofile=1024:1024 --ulimit nproc=1024:1024'
set -eu
cd "$(dirname "$0")/.."

SIZE_MAX=150000000
image=gitops-status-server-test
engine=podman
make_base=false
for argument; do
  case $argument in
    docker | podman) engine=$argument ;;
    --make-base) make_base=true ;;
    *) sed -n '2,9s/^# *//p' "$0" >&2; exit 2 ;;
  esac
done

work=$(mktemp -d)
cleanup() {
  $engine rm --force --volumes "$image" >/dev/null 2>&1 || true
  $engine volume rm --force "$image" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "$*" >&2
  exit 1
}

# base_image node:VERSION-DEBIAN-slim NAME: makes an image like the one with this tag, and names it.
base_image() {
  version=${1#node:} version=${version%%-*}
  debian=${1#node:*-} debian=${debian%%-*}
  debootstrap --variant=minbase --include=ca-certificates "$debian" "$work/root" >"$work/debootstrap.log" || { cat "$work/debootstrap.log"; exit 1; }
  npm install --silent --no-audit --no-fund --no-save --prefix "$work/node" "node@$version" "npm@11"
  install "$work/node/node_modules/node/bin/node" "$work/root/usr/local/bin/node"
  mkdir -p "$work/root/usr/local/lib/node_modules"
  cp -a "$work/node/node_modules/npm" "$work/root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/root/usr/local/bin/npm"
  echo 'In the real image, the licence of Node.' >"$work/root/usr/local/LICENSE"
  # The certificates that this machine trusts: its package registry may need them.
  cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/"
  mkdir -p "$work/root/usr/local/etc"
  echo cafile=/etc/ssl/certs/ca-certificates.crt >"$work/root/usr/local/etc/npmrc"
  tar -C "$work/root" -c . | $engine import - "$2" >/dev/null
  rm -rf "$work/root" "$work/node"
}

cp Dockerfile "$work/Dockerfile"
if $make_base; then
  # What is made here has no digest.
  sed -i 's/@sha256:[0-9a-f]*//' "$work/Dockerfile"
  # shellcheck disable=SC2013 # a tag has no spaces
  for base in $(sed -n 's/^FROM \(--platform=[^ ]* \)\{0,1\}\(node:[^ ]*\) .*/\2/p' "$work/Dockerfile" | sort -u); do
    name=$base
    [ "$engine" = docker ] || name=docker.io/library/$base
    if ! $engine image inspect "$name" >/dev/null 2>&1; then
      echo "== base $base, made here"
      base_image "$base" "$name"
    fi
  done
fi

echo '== build'
# The package registry may need the configuration of npm.
config=$(npm config get userconfig)
{ [ ! -e "$config" ] || cat "$config"; } >"$work/npmrc"
format=
[ "$engine" = docker ] || format='--format docker'
# shellcheck disable=SC2086 # several flags
$engine build ${BUILD_FLAGS-} $format --network host --secret "id=npmrc,src=$work/npmrc" --build-arg VERSION=1.2.3 \
  --build-arg REVISION=abc --file "$work/Dockerfile" --tag "$image" . >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
size=$($engine image inspect "$image" --format '{{.Size}}')
echo "$size bytes"
[ "$size" -le $SIZE_MAX ] || fail "more than $SIZE_MAX bytes"

echo '== what is in it'
$engine create --name "$image" "$image" >/dev/null
$engine export "$image" | tar -t >"$work/files"
$engine rm --volumes "$image" >/dev/null
grep -E '(^|/)(sh|bash|dash|busybox|env|npm|npx|yarn|corepack|apt|dpkg)$' "$work/files" && fail 'no shell and no package manager belongs into it'
grep -E 'node_modules/(typescript|vite|tap)/|\.bare$' "$work/files" && fail 'only what the program needs belongs into it'
[ "$(grep -c 'fs-native-extensions\.node$' "$work/files")" = 1 ] || fail 'one native module belongs into it'
for file in usr/share/doc/libc6/copyright usr/share/doc/node/copyright var/lib/dpkg/status.d/libc6 var/lib/dpkg/status.d/libstdc++6; do
  grep -qx "$file" "$work/files" || fail "it lacks $file"
done
label() {
  $engine image inspect "$image" --format "{{index .Config.Labels \"org.opencontainers.image.$1\"}}"
}
[ "$(label title) $(label version) $(label revision)" = 'gitops-status-server 1.2.3 abc' ] || fail 'the labels are wrong'

url=http://127.0.0.1:18080
# run FLAG...: starts the server as the documentation says, and waits until it is ready.
run() {
  # shellcheck disable=SC2086 # several flags
  $engine run ${RUN_FLAGS-} --detach --name "$image" --publish 127.0.0.1:18080:8080 --read-only --cap-drop ALL \
    --security-opt no-new-privileges "$@" "$image" >/dev/null
  for _ in $(seq 100); do
    curl -sf $url/readyz >/dev/null && return
    sleep 0.1
  done
  $engine logs "$image"
  fail 'the server does not get ready'
}
in_it() {
  $engine exec "$image" "$@"
}
post() {
  curl -sf -H 'Content-Type: application/json' $url/api/status -o /dev/null -d '{ "repo": "r", "server": "'"$1"'",
    "sync_status": "SYNCED", "drift_count": 0, "files": [], "last_check": "2026-04-21T10:32:15Z" }'
}
# stop: it ends by itself, with 0.
stop() {
  $engine stop -t 15 "$image" >/dev/null
  [ "$($engine inspect "$image" --format '{{.State.ExitCode}}')" = 0 ] || fail 'it does not stop with 0'
  $engine rm "$image" >/dev/null
}

echo '== a volume; not root, a read-only root, no capabilities'
run --volume "$image:/data"
in_it node -e 'if (process.getuid() !== 10001) process.exit(1); try { fs.writeFileSync("/app/x", ""); process.exit(1) } catch {}'
[ "$(in_it node -p 'fs.readlinkSync("/proc/1/exe")')" = /usr/local/bin/node ] || fail 'the program is not process 1'
post s
curl -sf $url/ | grep -q '<!doctype html>'
# The image's own health check, also if nothing runs it regularly.
$engine image inspect "$image" --format '{{json .Config.Healthcheck.Test}}' >"$work/health.json"
node -e 'const [, ...command] = JSON.parse(fs.readFileSync(process.argv[1]))
  process.exit(child_process.spawnSync(process.argv[2], ["exec", process.argv[3], ...command]).status)' "$work/health.json" "$engine" "$image"
stop
run --volume "$image:/data"
curl -sf $url/status.json | grep -q '"server": "s"' || fail 'the data is gone'
stop

echo '== a directory of the host: as its owner, or given to user 10001'
mkdir "$work/mine" "$work/its"
chown 12345:12345 "$work/mine"
chown 10001:10001 "$work/its"
chmod 755 "$work"
run --volume "$work/mine:/data" --user 12345:12345
post mine
stop
[ "$(stat -c %u "$work/mine/status.json")" = 12345 ] || fail 'the file belongs to someone else'
run --volume "$work/its:/data"
post its
stop
[ "$(stat -c %u "$work/its/status.json")" = 10001 ] || fail 'the file belongs to someone else'
echo "the image of $engine is right: $size bytes"
