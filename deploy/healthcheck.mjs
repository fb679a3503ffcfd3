// The health check of the image: exits with 0 if the server in this container answers that it is alive.
const response = await fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).catch(() => undefined)
process.exit(response?.ok ? 0 : 1)
