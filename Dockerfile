# docker build --tag gitops-status-server .
#
# The image has Node, the libraries that Node loads, and the program: no shell, no package manager, no npm. It is made from one base, of
# which only the tag below decides the version. Two stages use it, because one of them may run on another architecture.
FROM --platform=$BUILDPLATFORM node:24.21.0-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# The secret is for a registry of your own: --secret id=npmrc,src=$HOME/.npmrc
RUN --mount=type=secret,id=npmrc,target=/build/.npmrc npm ci --no-audit --no-fund
COPY tsconfig.json README.md ./
COPY src src
RUN npm run build:package && npm prune --omit=dev --no-audit --no-fund && rm dist/.tsbuildinfo && find dist -name '*.d.ts' -delete

# From here on, everything is of the architecture of the image.
FROM node:24.21.0-bookworm-slim AS root
WORKDIR /stage
COPY --from=build /build/node_modules image/app/node_modules
COPY --from=build /build/dist image/app/dist
COPY package.json LICENSE deploy/healthcheck.mjs image/app/
RUN set -eu; \
    # What only developers read, and native modules of other platforms.
    find image/app/node_modules -regextype posix-extended -regex 'image/app/node_modules/([^@/]+|@[^/]+/[^/]+)/(tests?|benchmarks?|examples?)' -prune -exec rm -r {} +; \
    find image/app/node_modules -regextype posix-extended -regex '.*\.(map|d\.[cm]?ts)' -delete; \
    platform="$(node -p '`${process.platform}-${process.arch}`')"; \
    find image/app/node_modules -path '*/prebuilds/*' ! -path "*/prebuilds/$platform" ! -path "*/prebuilds/$platform/*.node" -delete; \
    # Node, and the libraries that it and the native modules load.
    install -D /usr/local/bin/node image/usr/local/bin/node; \
    mkdir -p image/var/lib/dpkg/status.d image/etc volume/data; \
    for library in $(find image/usr image/app -name node -type f -o -name '*.node' | xargs ldd | sed -n 's|^[^/]*\(/[^ ]*\) (.*|\1|p' | sort -u); do \
      install -D "$library" "image$library"; \
      # Scanners look here for the versions of Debian's packages, as in distroless images.
      package="$(dpkg-query --search "*/${library##*/}" | sed 's/:.*//' | sort -u)"; \
      dpkg-query --status "$package" >"image/var/lib/dpkg/status.d/$package"; \
    done; \
    install -D --mode=644 /usr/local/LICENSE image/usr/share/doc/node/copyright; \
    for licence in $(find /usr/share/doc -path '*/libc6/copyright' -o -path '*/gcc-*-base/copyright'); do \
      install -D --mode=644 "$licence" "image$licence"; \
    done; \
    cp /etc/os-release /etc/debian_version image/etc/; \
    printf '%s\n' 'root:x:0:0:root:/:/sbin/nologin' 'gitops-status:x:10001:10001::/data:/sbin/nologin' >image/etc/passwd; \
    printf '%s\n' 'root:x:0:' 'gitops-status:x:10001:' >image/etc/group

FROM scratch
COPY --from=root /stage/image /
COPY --from=root --chown=10001:10001 /stage/volume /
WORKDIR /app
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
# The young generation of V8 is smaller than by default: less memory and shorter pauses, see docs/performance.md.
ENV PATH=/usr/local/bin NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=8 HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "/app/healthcheck.mjs"]
# The program itself is process 1: it takes the signals.
ENTRYPOINT ["node", "/app/dist/cli.js"]
# A release sets these: the addresses are those of package.json.
ARG VERSION=unreleased REVISION= SOURCE= URL=
LABEL org.opencontainers.image.title="gitops-status-server" \
      org.opencontainers.image.description="Shows which servers differ from Git" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.url="$URL"
