// Requests READY_URL until the server answers that it is ready, for READY_SECONDS at most. `helm test` runs this program.
const url = process.env.READY_URL
const deadline = Date.now() + Number(process.env.READY_SECONDS) * 1000

async function ask() {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5000) })
    const { ready, problems } = await answer.json()
    if (answer.ok && ready === true) return undefined
    return `${answer.status} ${JSON.stringify(problems)}`
  } catch (error) {
    return error.cause?.message ?? error.message
  }
}

let fault = await ask()
while (fault !== undefined && Date.now() < deadline) {
  await new Promise((resolve) => {
    setTimeout(resolve, 1000)
  })
  fault = await ask()
}
process.stdout.write(`${url}: ${fault === undefined ? 'ready' : `not ready: ${fault}`}\n`)
if (fault !== undefined) process.exitCode = 1
