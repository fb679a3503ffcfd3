#!/bin/sh
# Builds the image and runs it, on a Debian machine as root without a registry of images: the base image is made here,
# by debootstrap and from the Node that is installed, and given the name that the Dockerfile asks for.
# Needs: apt-get install podman crun debootstrap curl, and a package registry that npm can reach. Where containers may
# not have cgroups of their own: PODMAN_BUILD='--isolation chroot' PODMAN_RUN='--runtime runc --no-healthcheck'
set -eu
cd "$(dirname "$0")/.."

base=$(sed -n 's/^FROM \(node:[^ ]*\) AS build$/\1/p' Dockerfile)
work=$(mktemp -d)
name=gitops-status-server-test
cleanup() {
  podman rm --force "$name" >/dev/null 2>&1 || true
  podman volume rm --force "$name" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

if ! podman image exists "docker.io/library/$base"; then
  echo "== base image $base"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$work/root" >"$work/debootstrap.log"
  for path in /usr/bin/node /usr/lib/node_modules /usr/local/bin/node /usr/local/lib/node_modules; do
    [ -e "$path" ] || continue
    mkdir -p "$work/root$(dirname "$path")"
    cp -a "$(readlink -f "$path")" "$work/root$path"
  done
  # What Node is linked against beyond a minimal system.
  for library in $(ldd "$(readlink -f "$(command -v node)")" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p'); do
    [ -e "$work/root$library" ] || { mkdir -p "$work/root$(dirname "$library")"; cp -L "$library" "$work/root$library"; }
  done
  for command in npm npx; do
    printf '#!/bin/sh\nexec node "%s/npm/bin/%s-cli.js" "$@"\n' "$(npm root -g)" "$command" >"$work/root/usr/bin/$command"
    chmod +x "$work/root/usr/bin/$command"
  done
  tar -C "$work/root" -c . | podman import - "docker.io/library/$base" >/dev/null
fi

echo '== build'
# npm as it is set up here, and whom this machine trusts: its registry may be behind either.
config=$(npm config get userconfig)
{ [ ! -e "$config" ] || cat "$config"; echo; echo cafile=/etc/ssl/certs/ca-certificates.crt; } >"$work/npmrc"
# shellcheck disable=SC2086 # several flags
podman build ${PODMAN_BUILD-} --quiet --format docker --network host --volume "$work/npmrc:/build/.npmrc:ro" \
  --volume /etc/ssl/certs:/etc/ssl/certs:ro --tag gitops-status-server . >/dev/null
podman image inspect gitops-status-server --format '{{.Size}} bytes, user {{.User}}'

echo '== run: not root, read-only root, no capabilities, a volume'
run() {
  # shellcheck disable=SC2086 # several flags
  podman run ${PODMAN_RUN-} --detach --name "$name" --network host --read-only --read-only-tmpfs=false --cap-drop all \
    --security-opt no-new-privileges --volume "$name:/data" --env HOST=127.0.0.1 --env PORT=18080 gitops-status-server >/dev/null
  for _ in $(seq 100); do
    curl -sf http://127.0.0.1:18080/readyz >/dev/null && return
    sleep 0.1
  done
  podman logs "$name"
  return 1
}
run
podman exec "$name" node -e 'if (process.getuid() !== 10001) process.exit(1); try { fs.writeFileSync("/app/x", ""); process.exit(1) } catch {}'
[ "$(podman exec "$name" node -p 'fs.readlinkSync("/proc/1/exe").endsWith("/node")')" = true ]
if podman exec "$name" ls /app/node_modules/typescript >/dev/null 2>&1; then echo 'dev dependencies are in it'; exit 1; fi
curl -sf -H 'Content-Type: application/json' http://127.0.0.1:18080/api/status -d '{ "repo": "r", "server": "s",
  "sync_status": "SYNCED", "drift_count": 0, "files": [], "last_check": "2026-04-21T10:32:15Z" }' >/dev/null
curl -sf http://127.0.0.1:18080/ | grep -q '<!doctype html>'
# The image's own health check, also where nothing runs it regularly.
podman image inspect gitops-status-server --format '{{json .HealthCheck.Test}}' >"$work/health.json"
node -e 'const [, ...command] = JSON.parse(fs.readFileSync(process.argv[1]))
  process.exit(child_process.spawnSync("podman", ["exec", process.argv[2], ...command]).status)' "$work/health.json" "$name"
podman stop --time 15 "$name" >/dev/null
[ "$(podman inspect "$name" --format '{{.State.ExitCode}}')" = 0 ]
podman rm "$name" >/dev/null
run
curl -sf http://127.0.0.1:18080/status.json | grep -q '"server": "s"'
echo 'the image is built, runs, stops with 0, and finds its data again'
