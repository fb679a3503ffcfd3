// The naive design: the document in memory, and one atomic write of all of it for each post. naive.mjs PORT FILE
import { existsSync, readFileSync } from 'node:fs'
import express from 'express'
import writeFileAtomic from 'write-file-atomic'

const [port, file] = process.argv.slice(2)
const statuses = new Map()
if (existsSync(file)) {
  for (const status of JSON.parse(readFileSync(file, 'utf8')).statuses) {
    statuses.set(`${status.repo}\n${status.server}`, status)
  }
}
const app = express()
app.use(express.json({ limit: '1mb' }))
app.post('/api/status', async (req, res) => {
  statuses.set(`${req.body.repo}\n${req.body.server}`, req.body)
  await writeFileAtomic(file, JSON.stringify({ statuses: [...statuses.values()] }, null, 2))
  res.json({ result: 'updated' })
})
app.listen(Number(port), '127.0.0.1')
