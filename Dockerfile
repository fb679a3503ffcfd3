# docker build --tag gitops-status-server .
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json README.md ./
COPY src src
RUN npm run build && rm dist/.tsbuildinfo && npm prune --omit=dev

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="gitops-status-server" \
      org.opencontainers.image.description="Says what on your servers is no longer what is in Git" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
# By number, so that Kubernetes can see that it is not root.
RUN mkdir /data && chown 10001:10001 /data
USER 10001:10001
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The program itself is process 1: it takes the signals.
ENTRYPOINT ["node", "/app/dist/cli.js"]
